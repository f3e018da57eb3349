"""The composition root: settings -> adapters -> actions. The only module that knows adapters."""

from __future__ import annotations

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
from cockpit.actions.operations import Operations
from cockpit.actions.resume import Resume
from cockpit.actions.rollback import Rollback
from cockpit.actions.safety import Gate
from cockpit.actions.world import World, count
from cockpit.adapters.audit import FileAuditLog
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker import DockerEngine
from cockpit.adapters.git import GitRepository, GitWorkTree
from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.sops.store import SopsStore
from cockpit.adapters.ssh import SshConnection
from cockpit.config.paths import audit_file
from cockpit.domain.settings import UserSettings
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet

ENGINE = "/run/docker.sock"
"""The engine's socket on a host; its group `docker` may use it."""


def open_cockpit(
    *, config: str | None = None, known_hosts: str | None = None, headless: bool, approve_hosts: Iterable[str] = ()
) -> Cockpit:
    """Everything of one homelab, with nothing connected yet. SettingsError where cockpit.yaml cannot be used."""
    settings = files.load(_file(config))
    user = files.load_user()
    clock = SystemClock()
    keys = Path(known_hosts) if known_hosts else None
    connections = {name: SshConnection(host, keys) for name, host in settings.hosts.items()}
    hosts = {name: NixosHost(host, connections[name], clock) for name, host in settings.hosts.items()}
    engines = {name: DockerEngine(name, partial(ssh.forward, ENGINE), clock) for name, ssh in connections.items()}
    repository = GitRepository(settings.root)
    audit = FileAuditLog(audit_file())
    gate = Gate(clock, headless=headless, approve_hosts=approve_hosts)
    who, origin = who_asks(user, settings.root, os.environ), where(os.environ)
    secrets = SopsStore(settings.root, user.identity)
    work_tree = GitWorkTree(settings.root)
    operations = Operations(clock, audit, gate, who, origin)
    world = World(settings, hosts, repository, clock, audit, gate, who, origin, secrets)
    return Cockpit(
        settings=settings,
        user=user,
        clock=clock,
        repository=repository,
        fleet=Fleet(hosts, engines, repository, clock, audit, settings),
        deploy=Deploy(world),
        rollback=Rollback(world),
        resume=Resume(world),
        attach=Attach(world),
        work_tree=work_tree,
        files=Files(work_tree, secrets, clock),
        file_actions=FileActions(work_tree, secrets, operations),
        gate=gate,
        audit=audit,
        runs=Runs(clock),
        who=who,
        origin=origin,
        version=__version__,
        closing=(*(engine.close for engine in engines.values()), *(host.close for host in hosts.values())),
    )


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
