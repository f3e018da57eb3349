"""One simulated homelab in one folder: its hosts, its repository, and a person's own files that lead to them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit.domain.errors import UsageError
from cockpit.simulator import guests, keys, repository
from cockpit.simulator.containers import Containers
from cockpit.simulator.engine import Engine
from cockpit.simulator.host import Host
from cockpit.simulator.past import live_through
from cockpit.simulator.shell import Shell

if TYPE_CHECKING:
    import asyncssh

    from cockpit.simulator.hypervisor import Cluster

HOSTS = ("homelab", "nas")
LONGEST = 60
"""Characters of a folder's path that leave room for a socket's name below it: the system takes 104 or 108."""
BOOT = 4.0
"""Seconds from a virtual machine's start until its host can be reached."""


@dataclass
class World:
    """`folder` is private and empty; `say` writes a line to the simulator's log."""

    folder: Path
    say: Callable[[str], None]
    pace: float = 1.0
    hosts: dict[str, Host] = field(default_factory=dict)
    shells: dict[str, Shell] = field(default_factory=dict)
    cluster: Cluster | None = None
    _at_work: list[asyncio.Future[None]] = field(default_factory=list)
    _doors: list[asyncssh.SSHAcceptor] = field(default_factory=list)

    async def start(self) -> dict[str, Any]:
        """Everything up; what the parent has to know. The order: ports, then the files that name them, then the past."""
        import asyncssh

        home = self.folder / "home"
        _sockets(self.folder)
        client = asyncssh.generate_private_key("ssh-ed25519", comment="demo")
        identity, recipient = await asyncio.to_thread(keys.age_identity)
        await asyncio.to_thread(_personal, home, identity, client.export_private_key(), client.export_public_key())
        host_keys: dict[str, str] = {}
        addresses: dict[str, str] = {}
        self.cluster = _hypervisor(self.folder, self.pace)
        await self.cluster.up()
        for name in HOSTS:
            key = asyncssh.generate_private_key("ssh-ed25519")
            containers = Containers(name, self.pace)
            host = Host(name, self.folder / "hosts" / name, containers, self.pace)
            shell = self.shells[name] = Shell(host, Engine(containers, self.say), self.say)
            door = await shell.listen(key, client.export_public_key().decode())
            self._doors.append(door)
            self.hosts[name] = host
            host_keys[name] = " ".join(key.export_public_key().decode().split()[:2])
            addresses[name] = f"127.0.0.1:{door.get_port()}"
        recipients = (recipient, *host_keys.values())
        own = _settings(addresses, host_keys, self.cluster)
        made, broken = await asyncio.to_thread(repository.make, self.folder, own, recipients, self.cluster.token)
        for host in self.hosts.values():
            live_through(host, made)
        self._at_work = [asyncio.ensure_future(self._power()), asyncio.ensure_future(self._ben(made[-1], broken))]
        return {"repository": str(self.folder / "repo"), "home": str(home)}

    async def _power(self) -> None:
        """A host is on while its virtual machine is, and was booted when that was."""
        assert self.cluster is not None  # noqa: S101 - it was made first
        known = {name: self.cluster.power(vmid) for name, vmid in guests.HOSTS.items()}
        while True:
            await asyncio.sleep(0.2 * self.pace)
            for name, vmid in guests.HOSTS.items():
                if (started := self.cluster.power(vmid)) == known[name]:
                    continue
                if known[name] is not None:
                    self.shells[name].cut()
                    await self.hosts[name].off()
                if started is not None:
                    await asyncio.sleep(BOOT * self.pace)
                    self.hosts[name].on()
                    self.shells[name].open = True
                known[name] = started

    async def _ben(self, newest: repository.Made, broken: repository.Made) -> None:
        while True:
            if await asyncio.to_thread(repository.take_back, self.folder, newest, broken):
                return
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        for work in self._at_work:
            work.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        if self.cluster is not None:
            await self.cluster.down()
        for door in self._doors:
            door.close()
        for host in self.hosts.values():
            await host.close()


def _personal(home: Path, identity: str, private: bytes, public: bytes) -> None:
    """What else is in a person's home: keys and settings. Readable by nobody else."""
    for folder in (home, home / ".ssh", home / ".config/cockpit", home / ".local/state", home / ".cache", home / ".local/share"):
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    key = home / ".config/age.txt"
    for path, data in (
        (key, f"{identity}\n".encode()),
        (home / ".ssh/id_ed25519", private),
        (home / ".ssh/id_ed25519.pub", public),
    ):
        path.touch(mode=0o600)
        path.write_bytes(data)
    (home / ".config/cockpit/config.yaml").write_text(f"who: ada\nidentity: {key}\n", encoding="utf-8")


def _sockets(folder: Path) -> None:
    """FOLDER/t, where cockpit makes its sockets: a link to a short path where this one is too long for their names."""
    if len(str(folder)) <= LONGEST:
        (folder / "t").mkdir(mode=0o700)
    else:
        (folder / "t").symlink_to(tempfile.mkdtemp(prefix="cockpit-demo-", dir="/tmp"))  # private, and the shortest


def _hypervisor(folder: Path, pace: float) -> Cluster:
    try:
        from cockpit.simulator.hypervisor import Cluster
    except ImportError:
        raise UsageError("the demo needs fakepve", "it is not installed", "install cockpit-homelab[demo]") from None
    return Cluster(folder, pace)


def _settings(addresses: dict[str, str], host_keys: dict[str, str], cluster: Cluster) -> str:
    """The tree's cockpit.yaml with the demo's hosts; its projects are taken as they stand."""
    from cockpit.simulator.hypervisor import settings as clusters

    text = repository.tree()["cockpit.yaml"].decode()
    projects = text[text.index("\nprojects:") + 1 :]
    own = {"homelab": "[core, observe, home, paperless]", "nas": "[files, backup]"}
    hosts = "".join(
        f"  {name}:\n    address: {addresses[name]}\n    user: cockpit\n    host_key: {host_keys[name]}\n    flake: nix#{name}\n"
        f"    guest: home/{guests.HOSTS[name]}\n"
        f"    tags: [{tag}]\n    projects: {own[name]}\n    timing: {{wait: 20s, stable: 2s, revert_after: 60s}}\n"
        f"    health:\n      - {{unit: sshd.service}}\n"
        for name, tag in (("homelab", "prod"), ("nas", "storage"))
    )
    return (
        "# A simulated homelab: every address here is on loopback, and answers as long as the demo runs.\n"
        f"version: 1\nkeep: 15\n\n{clusters(cluster)}\nhosts:\n{hosts}\n{projects.rstrip()}\n\n"
        "  files:\n    source: compose/files\n\n"
        "  backup:\n    source: compose/backup\n    secrets:\n"
        '      htpasswd: {file: secrets/nas/backup.yaml, key: restic.htpasswd, owner: "0:0", mode: "0400"}\n'
    )
