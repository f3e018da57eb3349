"""ports.ContainerShell: `docker exec` in the terminal of this process, through the system's ssh with the host's own pins."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cockpit.adapters import process
from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.services import Service
from cockpit.domain.settings import HostSettings

CHOOSE = 'for s in "$SHELL" bash ash sh; do [ -z "$s" ] || ! command -v "$s" >/dev/null 2>&1 || exec "$s"; done; exec sh'
"""The container's own choice, then bash, then whatever there is."""
_ALIAS = "cockpit-pinned"


class SystemShell:
    def __init__(self, hosts: Mapping[str, HostSettings], known_hosts: Path | None = None) -> None:
        self._hosts = hosts
        self._known_hosts = known_hosts

    def command(self, service: Service) -> tuple[str, ...]:
        return self._command(service, "PINNED")

    def _command(self, service: Service, pins: str) -> tuple[str, ...]:
        if service.host not in self._hosts:
            raise UsageError(f"there is no host {service.host!r}")
        if not service.container.isalnum():
            raise Refused(f"{service.ref} has no container", "", "u makes one")
        inside = ("docker", "exec", "-it", service.container, "sh", "-c", CHOOSE)
        return (*ssh_command(self._hosts[service.host], pins, self._known_hosts), shlex.join(inside))

    async def open(self, service: Service) -> int:
        pin = self._hosts[service.host].host_key if service.host in self._hosts else None
        with _pinned(pin) as pins:
            return await process.foreground(self._command(service, pins))


@contextlib.contextmanager
def _pinned(key: str | None) -> Iterator[str]:
    """A known_hosts file with this key alone, in a folder that only we can enter."""
    if key is None:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
        file = Path(folder, "known_hosts")
        file.write_text(f"{_ALIAS} {key}\n", encoding="ascii")
        yield str(file)


def ssh_command(settings: HostSettings, pins: str, known_hosts: Path | None) -> tuple[str, ...]:
    """ssh with a terminal, to this host and no other: a shared connection of the person's own settings is not taken, and
    nobody is asked whether to trust a key."""
    options = ["StrictHostKeyChecking=yes", "UpdateHostKeys=no", "ControlMaster=no", "ControlPath=none", "ForwardAgent=no"]
    options += ["ClearAllForwardings=yes", "ConnectTimeout=10"]
    if settings.host_key is not None:
        kind = settings.host_key.split()[0]
        kinds = "rsa-sha2-512,rsa-sha2-256" if kind == "ssh-rsa" else kind
        options += [f"UserKnownHostsFile={pins}", "GlobalKnownHostsFile=/dev/null", f"HostKeyAlias={_ALIAS}"]
        options += [f"HostKeyAlgorithms={kinds}"]
    elif known_hosts is not None:
        options += [f"UserKnownHostsFile={known_hosts}"]
    words = [word for option in options for word in ("-o", option)]
    return ("ssh", "-t", *words, "-p", str(settings.port), "-l", settings.user, "--", settings.hostname)
