"""The composition root: settings -> adapters -> actions. The only module that knows adapters."""

from __future__ import annotations

import asyncio
import configparser
import getpass
import json
import os
import socket
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cockpit import __version__
from cockpit import config as files
from cockpit.actions.bundle import Cockpit, Runs
from cockpit.actions.safety import Gate
from cockpit.adapters.audit import FileAuditLog
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.git.repository import GitRepository
from cockpit.adapters.later import end, later
from cockpit.config.paths import audit_file
from cockpit.domain import units
from cockpit.domain.errors import SecretError, UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.secret import Secret
from cockpit.domain.settings import CredentialSettings, Role, Settings, UserSettings
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet
from cockpit.observe.guests import Guests
from cockpit.ports import SecretStore

if TYPE_CHECKING:
    from cockpit.actions.attach import Attach
    from cockpit.actions.bootstrap import Bootstrap
    from cockpit.actions.deploy import Deploy
    from cockpit.actions.doctor import Doctor
    from cockpit.actions.files import FileActions
    from cockpit.actions.guests import GuestActions
    from cockpit.actions.images import ImageActions
    from cockpit.actions.operations import Operations
    from cockpit.actions.releases import ReadOnly, Releases
    from cockpit.actions.resume import Resume
    from cockpit.actions.rollback import Rollback
    from cockpit.actions.services import ServiceActions
    from cockpit.actions.world import World
    from cockpit.adapters.docker import DockerEngine
    from cockpit.adapters.git.worktree import GitWorkTree
    from cockpit.adapters.nixos.host import NixosHost
    from cockpit.adapters.proxmox.cluster import ProxmoxCluster
    from cockpit.adapters.proxmox.templates import ProxmoxTemplates
    from cockpit.adapters.sops.store import SopsStore
    from cockpit.adapters.ssh import SshConnection
    from cockpit.early import Early

ENGINE = "/run/docker.sock"
"""The engine's socket on a host; its group `docker` may use it."""


def open_cockpit(
    *,
    config: str | None = None,
    known_hosts: str | None = None,
    headless: bool,
    approve_hosts: Iterable[str] = (),
    as_user: str | None = None,
    early: Early | None = None,
) -> Cockpit:
    """Everything of one homelab, with nothing connected yet. SettingsError where cockpit.yaml cannot be used."""
    settings = early.settings if early is not None else files.load(_file(config))
    if as_user is not None:
        settings = as_another(settings, as_user)
    user = files.load_user()
    clock = SystemClock()
    keys = Path(known_hosts) if known_hosts else None
    repository = GitRepository(settings.root)
    audit = FileAuditLog(audit_file())
    gate = Gate(clock, headless=headless, approve_hosts=approve_hosts, observes=user.role is Role.OBSERVE)
    who, origin = who_asks(user, settings.root, os.environ), where(os.environ)

    def connection(name: str) -> SshConnection:
        from cockpit.adapters.ssh import SshConnection

        return SshConnection(settings.hosts[name], keys, asked=early.questions.get(name) if early else None)

    def host(name: str) -> NixosHost:
        from cockpit.adapters.nixos.host import NixosHost

        return NixosHost(settings.hosts[name], connections[name], clock)

    def engine(name: str) -> DockerEngine:
        from cockpit.adapters.docker import DockerEngine

        return DockerEngine(name, partial(connections[name].forward, ENGINE), clock)

    def cluster(name: str) -> ProxmoxCluster:
        from cockpit.adapters.proxmox.cluster import ProxmoxCluster

        wanted = settings.clusters[name]
        return ProxmoxCluster(wanted, partial(credential, wanted.secret, settings.root, secrets), clock)

    def store() -> SopsStore:
        from cockpit.adapters.sops.store import SopsStore

        return SopsStore(settings.root, user.identity)

    def tree() -> GitWorkTree:
        from cockpit.adapters.git.worktree import GitWorkTree

        return GitWorkTree(settings.root)

    @cache
    def world() -> World:
        from cockpit.actions.world import World

        return World(settings, hosts, repository, clock, audit, gate, who, origin, secrets)

    @cache
    def operations() -> Operations:
        from cockpit.actions.operations import Operations

        return Operations(clock, audit, gate, who, origin)

    def deploy() -> Deploy:
        from cockpit.actions.deploy import Deploy

        return Deploy(world())

    def rollback() -> Rollback:
        from cockpit.actions.rollback import Rollback

        return Rollback(world())

    def resume() -> Resume:
        from cockpit.actions.resume import Resume

        return Resume(world())

    def attach() -> Attach:
        from cockpit.actions.attach import Attach

        return Attach(world())

    @cache
    def releases() -> Releases:
        from cockpit.actions.releases import Releases
        from cockpit.adapters.nixos.local import LocalBuilder

        return Releases(world(), LocalBuilder(settings.root))

    def read_only() -> ReadOnly:
        from cockpit.actions.releases import ReadOnly

        return ReadOnly(world(), releases())

    def bootstrap() -> Bootstrap:
        from cockpit.actions.bootstrap import Bootstrap
        from cockpit.adapters.nixos.first import NixosFirstContact
        from cockpit.adapters.nixos.local import LocalBuilder
        from cockpit.adapters.ssh import SshConnection

        def contact(name: str, user: str) -> NixosFirstContact:
            ssh = SshConnection(replace(settings.hosts[name], user=user), keys)
            return NixosFirstContact(settings.hosts[name], user, ssh, host(name), clock)

        return Bootstrap(world(), contact, LocalBuilder(settings.root))

    def file_actions() -> FileActions:
        from cockpit.actions.files import FileActions

        return FileActions(work_tree, secrets, operations())

    def guest_actions() -> GuestActions:
        from cockpit.actions.guests import GuestActions

        made = GuestActions(clusters, settings, operations(), clock, who)
        made.changed.append(lambda name: guests.clusters[name].poke())
        return made

    def template_store(name: str) -> ProxmoxTemplates:
        from cockpit.adapters.proxmox.templates import ProxmoxTemplates

        return ProxmoxTemplates(clusters[name])

    def image_actions() -> ImageActions:
        from cockpit.actions.images import ImageActions
        from cockpit.adapters.nixos.image import NixImageBuilder

        stores = {name: later(partial(template_store, name)) for name in settings.clusters}
        return ImageActions(
            settings, repository, NixImageBuilder(settings.root), clusters, stores, work_tree, operations(), clock
        )

    def service_actions() -> ServiceActions:
        from cockpit.actions.services import ServiceActions
        from cockpit.adapters.docker.shell import SystemShell

        shell = SystemShell(settings.hosts, keys)
        made = ServiceActions(engines, hosts, settings, operations(), clock, who, origin, shell, gate, audit)
        made.changed.append(lambda name: fleet.services[name].poke())
        return made

    def doctor() -> Doctor:
        from cockpit.wiring import doctor as wired_doctor

        return wired_doctor.doctor(settings, user, keys, work_tree, secrets, hosts, engines, connections)

    connections = {name: later(partial(connection, name)) for name in settings.hosts}
    hosts = {name: later(partial(host, name)) for name in settings.hosts}
    engines = {name: later(partial(engine, name)) for name in settings.hosts}
    clusters = {name: later(partial(cluster, name)) for name in settings.clusters}
    secrets, work_tree = later(store), later(tree)
    if not headless:
        for proxmox in clusters.values():
            proxmox.begin()  # the libraries of the terminal UI take longer to import than a cluster to answer
    guests = Guests(clusters, clock)
    fleet = Fleet(hosts, engines, repository, clock, audit, guests)
    runs = Runs(clock)

    def look_again(outcome: Outcome) -> None:
        """A run let go of its hosts' locks, and made them run something else."""
        for name in {host.host for host in outcome.hosts} & fleet.hosts.keys():
            fleet.hosts[name].poke()

    runs.ended.append(look_again)
    return Cockpit(
        settings=settings,
        user=user,
        clock=clock,
        repository=repository,
        fleet=fleet,
        deploy=later(deploy),
        rollback=later(rollback),
        resume=later(resume),
        attach=later(attach),
        releases=later(releases),
        read_only=later(read_only),
        bootstrap=later(bootstrap),
        work_tree=work_tree,
        files=Files(work_tree, secrets, clock),
        file_actions=later(file_actions),
        guests=later(guest_actions),
        services=later(service_actions),
        images=later(image_actions),
        gate=gate,
        audit=audit,
        runs=runs,
        who=who,
        origin=origin,
        version=__version__,
        closing=(
            *(partial(end, engine) for engine in engines.values()),
            *(partial(end, host) for host in hosts.values()),
            *(partial(end, cluster) for cluster in clusters.values()),
        ),
        doctor=later(doctor),
    )


def open_doctor(*, config: str | None = None, known_hosts: str | None = None) -> Doctor:
    """Also where there is no homelab, or its settings are wrong: then it looks over this machine, and says why no more."""
    from cockpit.wiring import doctor as wired_doctor

    try:
        cockpit = open_cockpit(config=config, known_hosts=known_hosts, headless=True)
    except UsageError as error:
        return wired_doctor.outside(error)
    return cockpit.doctor.closed_by(cockpit.close)


def as_another(settings: Settings, user: str) -> Settings:
    """The same homelab, with its hosts entered as somebody else."""
    return replace(settings, hosts={name: replace(host, user=user) for name, host in settings.hosts.items()})


async def credential(source: CredentialSettings, root: Path, secrets: SecretStore) -> Secret:
    """A secret of this machine's own: from the environment, or from an encrypted file of the work tree. SecretError."""
    if source.env is not None:
        if not (value := os.environ.get(source.env)):
            raise SecretError(f"${source.env} is not set", "cockpit.yaml takes a secret from it", f"export {source.env}=...")
        return Secret(value.encode())
    path = source.file or ""
    try:
        data = await asyncio.to_thread((root / path).read_bytes)
    except OSError as error:
        raise SecretError(f"{path} cannot be read", error.strerror or "", "cockpit.yaml names it") from None
    return await secrets.decrypt(path, data, source.key)


def check(config: str | None) -> str:
    """Reads the settings; the answer is a line for people. SettingsError with every complaint."""
    settings = files.load(_file(config))
    hosts, projects = units.several(len(settings.hosts), "host"), units.several(len(settings.projects), "project")
    return f"{settings.root / 'cockpit.yaml'}: {hosts}, {projects}"


def schema() -> str:
    """JSON schema of cockpit.yaml."""
    return json.dumps(files.schema(), indent=2) + "\n"


def _file(config: str | None) -> Path:
    return Path(config) if config else files.find(Path.cwd())


def where(environ: Mapping[str, str]) -> str:
    """Where runs are started: the CI run's URL, else the host name."""
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if environ.get("GITHUB_ACTIONS") == "true" and server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return socket.gethostname()


def who_asks(user: UserSettings, root: Path, environ: Mapping[str, str]) -> str:
    """The name that records carry: the user's settings, the CI's actor, git's user.name, the login name."""
    if user.who:
        return user.who
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_ACTOR"):
        return environ["GITHUB_ACTOR"]
    for file in (root / ".git" / "config", Path.home() / ".gitconfig", Path.home() / ".config" / "git" / "config"):
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        try:
            parser.read_string(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, configparser.Error):
            continue
        if name := parser.get("user", "name", fallback=None):
            return name.strip().strip('"')
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
