"""Doctor, put together: what `cockpit.wiring` gives it of a homelab, or this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cockpit import config
from cockpit.actions.doctor import Context, Doctor
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.later import later
from cockpit.adapters.machine import SystemMachine
from cockpit.adapters.nixos.checkup import NixosCheckup
from cockpit.adapters.sops.keyring import SopsKeyring
from cockpit.adapters.sops.store import SopsStore
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.errors import CockpitError
from cockpit.domain.settings import Settings, UserSettings
from cockpit.ports import ContainerEngine, Host, WorkTree
from cockpit.wiring import upkeep


def doctor(
    settings: Settings,
    user: UserSettings,
    known_hosts: Path | None,
    tree: WorkTree,
    secrets: SopsStore,
    hosts: Mapping[str, Host],
    engines: Mapping[str, ContainerEngine],
    connections: Mapping[str, SshConnection],
) -> Doctor:
    """`connections` are shared with whoever else talks to the hosts."""

    def context() -> Context:
        return Context(
            SystemMachine(),
            SystemClock(),
            user,
            config.parse,
            settings,
            tree=tree,
            keyring=SopsKeyring(settings.root, user.identity, secrets),
            secrets=secrets,
            lock=upkeep.lock(settings, user, tree),
            hosts=hosts,
            checkups={name: later(partial(NixosCheckup, connection)) for name, connection in connections.items()},
            engines=engines,
            known_hosts=known_hosts,
        )

    return Doctor(context)


def outside(trouble: CockpitError) -> Doctor:
    """Where there are no settings, and why."""
    return Doctor(lambda: Context(SystemMachine(), SystemClock(), UserSettings(), config.parse, trouble=trouble))
