"""The sample homelab's cluster: what design/pictures/vms shows."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.domain.guests import Addresses, Guest, GuestKind, GuestTask, Node, Snapshot, Storage
from cockpit.observe.guests import Guests
from tests.unit.fake_hypervisor import GIB, FakeHypervisor

D, H, M = 86400.0, 3600.0, 60.0
Q, L = GuestKind.QEMU, GuestKind.LXC

# node, vmid, kind, name, status, cpu, memory, of, disk, of, days up, address, tags, lock
_GUESTS: list[tuple[str, int, GuestKind, str, str, float, float, float, float, float, float, str, str, str]] = [
    ("pve1", 100, Q, "homelab", "running", 0.61, 14.1, 16, 0, 120, 41, "10.20.0.10", "nixos docker", ""),
    ("pve1", 102, Q, "opnsense", "running", 0.09, 1.6, 4, 0, 20, 62, "10.20.0.1", "router", ""),
    ("pve1", 104, Q, "postgres", "running", 0.18, 5.0, 8, 0, 80, 41, "10.20.0.14", "db", ""),
    ("pve1", 105, L, "gitea", "running", 0.02, 0.4, 2, 9, 30, 20, "10.20.0.15", "git", ""),
    ("pve1", 106, L, "jellyfin", "running", 0.88, 2.3, 4, 22, 60, 20, "10.20.0.16", "media", "backup"),
    ("pve1", 108, Q, "minio", "running", 0.06, 3.6, 8, 0, 400, 3, "10.20.0.18", "s3", ""),
    ("pve1", 120, Q, "win11", "stopped", 0, 0, 8, 0, 120, 0, "", "desk", ""),
    ("pve1", 900, Q, "nixos-tmpl", "stopped", 0, 0, 2, 0, 8, 0, "", "", ""),
    ("pve2", 101, Q, "edge", "running", 0.04, 1.2, 4, 0, 40, 41, "10.20.0.11", "nixos docker", ""),
    ("pve2", 103, Q, "home-assistant", "running", 0.12, 2.0, 4, 0, 32, 62, "10.20.0.13", "iot", ""),
    ("pve2", 107, L, "adguard", "running", 0.01, 0.1, 0.5, 2, 8, 62, "10.20.0.17", "dns", ""),
    ("pve2", 109, Q, "backup", "running", 0.38, 5.8, 8, 0, 40, 41, "10.20.0.19", "pbs", ""),
    ("pve2", 110, Q, "ci-runner", "running", 0.03, 2.8, 8, 0, 60, 12, "10.20.0.20", "ci", ""),
    ("pve2", 121, Q, "k3s-lab", "stopped", 0, 0, 8, 0, 60, 0, "", "lab", ""),
]  # fmt: skip
_LOG = (
    "INFO: starting new backup job: vzdump 106 --storage nfs-bak --mode snapshot --compress zstd",
    "INFO: suspend vm to make snapshot: not needed, container on zfs",
    "INFO: create storage snapshot 'vzdump'",
    "WARN: storage 'nfs-bak' is 94% full, 72 GiB left",
    "INFO: creating vzdump archive '/mnt/pve/nfs-bak/dump/vzdump-lxc-106-2025_12_20-14_05_02.tar.zst'",
    "INFO:   2% (0.7 GiB of 37.0 GiB) in 0m 06s, read: 119 MiB/s, write: 97 MiB/s",
    "INFO:  13% (4.9 GiB of 37.0 GiB) in 0m 40s, read: 128 MiB/s, write: 96 MiB/s",
    "INFO:  38% (14.1 GiB of 37.0 GiB) in 2m 01s, read: 110 MiB/s, write: 94 MiB/s",
)


def sample_hypervisor(now: float) -> FakeHypervisor:
    found = []
    for node, vmid, kind, name, status, cpu, mem, limit, disk, size, days, _, tags, lock in _GUESTS:
        found.append(
            Guest("home", node, vmid, kind, name, status, vmid == 900, cpu, 4, int(mem * GIB), int(limit * GIB), int(disk * GIB),
                  int(size * GIB), days * D, tuple(tags.split()), lock)
        )  # fmt: skip
    pve = FakeHypervisor(*found, now=now)
    pve.nodes = (
        Node("home", "pve1", True, 0.23, 16, int(41.2 * GIB), 64 * GIB, 18 * GIB, 94 * GIB, 62 * D, "10.20.0.2"),
        Node("home", "pve2", True, 0.11, 8, int(18.6 * GIB), 32 * GIB, 11 * GIB, 60 * GIB, 62 * D, "10.20.0.3"),
    )
    tib = 1024 * GIB
    pve.storages = (
        Storage("home", "pve1", "nfs-bak", "nfs", True, int(1.13 * tib), int(1.2 * tib), True, ("backup",)),
        Storage("home", "pve1", "tank", "zfspool", True, int(5.9 * tib), int(7.5 * tib), False, ("images", "rootdir")),
        Storage("home", "pve2", "local-lvm", "lvmthin", True, 312 * GIB, 440 * GIB, False, ("images", "rootdir")),
        Storage("home", "pve2", "nfs-bak", "nfs", True, int(1.13 * tib), int(1.2 * tib), True, ("backup",)),
    )
    for vmid, address in ((row[1], row[11]) for row in _GUESTS if row[11]):
        pve.found[vmid] = Addresses((address,), None if pve.guests[vmid].kind is L else True)
    pve.found[110] = Addresses((), False)
    pve.held[108] = (
        Snapshot("before-upgrade", now - 34 * D, "minio 2025-11", ""),
        Snapshot("weekly", now - 3 * D, "by ada, with cockpit", "before-upgrade"),
    )
    for upid, on, task, target, user, ago, took, exit_status in (
        ("UPID:pve1:0001:0:1:vzdump:106:root@pam:", "pve1", "vzdump", "106", "root@pam", 2 * M, 0.0, ""),
        ("UPID:pve1:0002:0:1:qmsnapshot:108:ada@pve:", "pve1", "qmsnapshot", "108", "ada@pve", 3 * D, 4.0, "OK"),
        ("UPID:pve1:0003:0:1:qmconfig:108:root@pam:", "pve1", "qmconfig", "108", "root@pam", 3 * D + H, 1.0, "OK"),
        ("UPID:pve1:0004:0:1:vzdump:108:root@pam:", "pve1", "vzdump", "108", "root@pam", 9 * D, 372.0, "job errors"),
    ):
        started = now - ago
        ended = started + took if exit_status else None
        pve.done[upid] = GuestTask(upid, "home", on, task, target, user, started, ended, exit_status)
        pve.logs[upid] = _LOG if task == "vzdump" else ("TASK OK",)
    return pve


class SampleGuests(Guests):
    """Graphs stand still: they are of the numbers, not of how often was polled."""

    def cpu(self, ref: str) -> Sequence[float]:
        history = super().cpu(ref)
        if not history:
            return ()
        last, seed = history[-1], sum(map(ord, ref))
        return (*(min(1.0, last * (0.4 + seed * (i + 3) % 11 / 10)) for i in range(32)), last)
