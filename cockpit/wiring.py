"""The composition root: settings -> adapters -> actions. The only module that knows adapters."""

from __future__ import annotations

import asyncio
import configparser
import getpass
import json
import os
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from cockpit import __version__
from cockpit import config as files
from cockpit.actions.attach import Attach
from cockpit.actions.bundle import Cockpit, Runs
from cockpit.actions.deploy import Deploy
from cockpit.actions.files import FileActions
from cockpit.actions.guests import GuestActions
from cockpit.actions.operations import Operations
from cockpit.actions.resume import Resume
from cockpit.actions.rollback import Rollback
from cockpit.actions.safety import Gate
from cockpit.actions.services import ServiceActions
from cockpit.actions.world import World, count
from cockpit.adapters.audit import FileAuditLog
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker import DockerEngine
from cockpit.adapters.docker.shell import SystemShell
from cockpit.adapters.git import GitRepository, GitWorkTree
from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.proxmox.cluster import ProxmoxCluster
from cockpit.adapters.sops.store import SopsStore
from cockpit.adapters.ssh import SshConnection
from cockpit.config.paths import audit_file
from cockpit.domain.errors import SecretError
from cockpit.domain.secret import Secret
from cockpit.domain.settings import CredentialSettings, Role, UserSettings
from cockpit.early import Early
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet
from cockpit.observe.guests import Guests
from cockpit.ports import SecretStore

ENGINE = "/run/docker.sock"
"""The engine's socket on a host; its group `docker` may use it."""


def open_cockpit(
    *,
    config: str | None = None,
    known_hosts: str | None = None,
    headless: bool,
    approve_hosts: Iterable[str] = (),
    early: Early | None = None,
) -> Cockpit:
    """Everything of one homelab, with nothing connected yet. SettingsError where cockpit.yaml cannot be used."""
    settings = early.settings if early is not None else files.load(_file(config))
    user = files.load_user()
    clock = SystemClock()
    keys = Path(known_hosts) if known_hosts else None
    connections = {
        name: SshConnection(host, keys, asked=early.questions.get(name) if early else None)
        for name, host in settings.hosts.items()
    }
    hosts = {name: NixosHost(host, connections[name], clock) for name, host in settings.hosts.items()}
    engines = {name: DockerEngine(name, partial(ssh.forward, ENGINE), clock) for name, ssh in connections.items()}
    repository = GitRepository(settings.root)
    audit = FileAuditLog(audit_file())
    gate = Gate(clock, headless=headless, approve_hosts=approve_hosts, observes=user.role is Role.OBSERVE)
    who, origin = who_asks(user, settings.root, os.environ), where(os.environ)
    secrets = SopsStore(settings.root, user.identity)
    work_tree = GitWorkTree(settings.root)
    world = World(settings, hosts, repository, clock, audit, gate, who, origin, secrets)
    operations = Operations(clock, audit, gate, who, origin)
    clusters = {
        name: ProxmoxCluster(cluster, partial(credential, cluster.secret, settings.root, secrets), clock)
        for name, cluster in settings.clusters.items()
    }
    if not headless:
        for cluster in clusters.values():
            cluster.begin()  # the libraries of the terminal UI take longer to import than a cluster to answer
    guests = Guests(clusters, clock)
    guest_actions = GuestActions(clusters, settings, operations, clock, who)
    guest_actions.changed.append(lambda name: guests.clusters[name].poke())
    fleet = Fleet(hosts, engines, repository, clock, audit, settings, guests)
    shell = SystemShell(settings.hosts, keys)
    services = ServiceActions(engines, hosts, settings, operations, clock, who, origin, shell, gate, audit)
    services.changed.append(lambda name: fleet.services[name].poke())
    return Cockpit(
        settings=settings,
        user=user,
        clock=clock,
        repository=repository,
        fleet=fleet,
        deploy=Deploy(world),
        rollback=Rollback(world),
        resume=Resume(world),
        attach=Attach(world),
        work_tree=work_tree,
        files=Files(work_tree, secrets, clock),
        file_actions=FileActions(work_tree, secrets, operations),
        guests=guest_actions,
        services=services,
        gate=gate,
        audit=audit,
        runs=Runs(clock),
        who=who,
        origin=origin,
        version=__version__,
        closing=(
            *(engine.close for engine in engines.values()),
            *(host.close for host in hosts.values()),
            *(cluster.close for cluster in clusters.values()),
        ),
    )


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
    return f"{settings.root / 'cockpit.yaml'}: {count(len(settings.hosts), 'host')}, {count(len(settings.projects), 'project')}"


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
