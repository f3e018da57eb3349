"""The guests of the simulated cluster: what there is, and what happened to it before anybody looked."""

from __future__ import annotations

import time

from msgspec import Struct

GIB = 1 << 30
DAY, HOUR = 86400.0, 3600.0
HOSTS = {"homelab": 100, "nas": 101}
"""NixOS host -> the virtual machine that it is."""
NODES = {"pve1": ("10.20.0.2", 16, 64, 94, 18), "pve2": ("10.20.0.3", 8, 32, 60, 11)}
"""(address, processors, GiB of memory, of its own disk, used of that)."""


class Seed(Struct, frozen=True):
    node: str
    vmid: int
    lxc: bool
    name: str
    days: float
    """How long it has run; 0: it does not."""
    cpu: float
    """Share of its processors, about."""
    memory: float
    """GiB in use, about."""
    limit: float
    disk: int
    address: str
    tags: str = ""
    template: bool = False


SEEDS = (
    Seed("pve1", 100, False, "homelab", 6.2, 0.34, 11.2, 16, 120, "10.20.0.10", "docker;nixos"),
    Seed("pve1", 102, False, "opnsense", 62, 0.09, 1.6, 4, 20, "10.20.0.1", "router"),
    Seed("pve1", 104, False, "postgres", 41, 0.18, 5.0, 8, 80, "10.20.0.14", "db"),
    Seed("pve1", 105, True, "gitea", 20, 0.02, 0.4, 2, 30, "10.20.0.15", "git"),
    Seed("pve1", 106, True, "jellyfin", 20, 0.62, 2.3, 4, 60, "10.20.0.16", "media"),
    Seed("pve1", 108, False, "minio", 3, 0.06, 3.6, 8, 400, "10.20.0.18", "s3"),
    Seed("pve1", 120, False, "win11", 0, 0, 0, 8, 120, "", "desk"),
    Seed("pve1", 900, False, "nixos-tmpl", 0, 0, 0, 2, 8, "", "", template=True),
    Seed("pve2", 101, False, "nas", 6.2, 0.11, 9.4, 16, 32, "10.20.0.11", "docker;nixos"),
    Seed("pve2", 103, False, "home-assistant", 62, 0.12, 2.0, 4, 32, "10.20.0.13", "iot"),
    Seed("pve2", 107, True, "adguard", 62, 0.01, 0.1, 0.5, 8, "10.20.0.17", "dns"),
    Seed("pve2", 109, False, "backup", 41, 0.38, 5.8, 8, 40, "10.20.0.19", "pbs"),
    Seed("pve2", 110, False, "ci-runner", 12, 0.03, 2.8, 8, 60, "10.20.0.20", "ci"),
    Seed("pve2", 121, False, "k3s-lab", 0, 0, 0, 8, 60, "", "lab"),
)
STORAGES = {
    "local": {"type": "dir", "content": "iso,vztmpl", "path": "/var/lib/vz", "total": 94 * GIB, "avail": 71 * GIB},
    "tank": {
        "type": "zfspool", "content": "images,rootdir", "pool": "tank", "nodes": "pve1", "total": 7680 * GIB, "avail": 1690 * GIB,
    },
    "local-lvm": {
        "type": "lvmthin", "content": "images,rootdir", "vgname": "pve", "thinpool": "data", "nodes": "pve2",
        "total": 440 * GIB, "avail": 128 * GIB,
    },
    "nfs-bak": {
        "type": "nfs", "content": "backup", "server": "10.20.0.11", "export": "/tank/backup", "path": "/mnt/pve/nfs-bak",
        "shared": 1, "total": 1229 * GIB, "avail": 116 * GIB,
    },
}  # fmt: skip
PAST = (
    ("pve1", "qmsnapshot", 108, "ada@pve", 3 * DAY, 4, "OK", ("snapshotting 'drive-scsi0' (tank:vm-108-disk-0)",)),
    (
        "pve1",
        "vzdump",
        108,
        "root@pam",
        9 * DAY,
        372,
        "job errors",
        ("ERROR: Backup of VM 108 failed - no space left on device",),
    ),
    ("pve1", "qmconfig", 108, "root@pam", 3 * DAY + HOUR, 1, "OK", ("update VM 108: -memory 8192",)),
    ("pve2", "vzdump", 101, "root@pam", 9 * HOUR, 512, "OK", ("INFO: Finished Backup of VM 101 (00:08:32)",)),
    ("pve1", "vzdump", 100, "root@pam", 9 * HOUR, 731, "OK", ("INFO: Finished Backup of VM 100 (00:12:11)",)),
    ("pve2", "qmstart", 110, "ada@pve", 12 * DAY, 3, "OK", ()),
)
"""(node, type, vmid, user, how long ago, seconds, exit status, log)."""
SNAPSHOTS = {108: (("before-upgrade", 34 * DAY, "minio 2025-11"), ("weekly", 3 * DAY, "by ada, with cockpit"))}
NIGHTLY = ((106, "nfs-bak"), (104, "nfs-bak"), (109, "nfs-bak"))
"""What is backed up while the demo runs, so that there is always a task to look at."""


def config(seed: Seed) -> dict[str, object]:
    """As /config shows it."""
    store = "tank" if seed.node == "pve1" else "local-lvm"
    mac = f"BC:24:11:00:{seed.vmid // 256:02X}:{seed.vmid % 256:02X}"
    found: dict[str, object] = {"memory": int(seed.limit * 1024), "cores": 4, "onboot": int(bool(seed.days)), "tags": seed.tags}
    if seed.lxc:
        net = f"name=eth0,bridge=vmbr0,hwaddr={mac},ip={seed.address}/24,gw=10.20.0.1"
        return found | {"cores": 2, "rootfs": f"{store}:subvol-{seed.vmid}-disk-0,size={seed.disk}G", "net0": net}
    disk = f"{store}:vm-{seed.vmid}-disk-0,size={seed.disk}G"
    return found | {"scsi0": disk, "scsihw": "virtio-scsi-single", "net0": f"virtio={mac},bridge=vmbr0", "agent": "1"}


def interfaces(seed: Seed) -> list[dict[str, object]]:
    """What the agent answers."""
    return [
        {"name": "lo", "ip-addresses": [{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}]},
        {"name": "eth0", "ip-addresses": [{"ip-address": seed.address, "ip-address-type": "ipv4", "prefix": 24}]},
    ]


def task(number: int, now: float, row: tuple[str, str, int, str, float, int, str, tuple[str, ...]]) -> dict[str, object]:
    """A task of the past, as fakepve keeps them."""
    node, kind, vmid, user, ago, took, status, log = row
    start, pid = int(now - ago), 700 + number
    end = "TASK OK" if status == "OK" else f"TASK ERROR: {status}"
    return {
        "upid": f"UPID:{node}:{pid:08X}:{pid * 7:08X}:{start:08X}:{kind}:{vmid}:{user}:", "node": node, "pid": pid,
        "pstart": pid * 7, "starttime": start, "type": kind, "id": str(vmid), "user": user, "status": "stopped",
        "exitstatus": status, "endtime": start + took, "log": [*log, end],
    }  # fmt: skip


def backup_log(vmid: int, kind: str, storage: str, size: float) -> tuple[list[str], list[str]]:
    """(what vzdump says first, a line for every step)."""
    stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime())
    first = [
        f"INFO: starting new backup job: vzdump {vmid} --storage {storage} --mode snapshot --compress zstd",
        f"INFO: Starting Backup of VM {vmid} ({kind})",
        f"INFO: creating vzdump archive '/mnt/pve/{storage}/dump/vzdump-{kind}-{vmid}-{stamp}.zst'",
    ]
    steps = []
    for index in range(1, 13):
        percent = round(index * 100 / 12)
        steps.append(
            f"INFO: {percent:3}% ({size * percent / 100:.1f} GiB of {size:.1f} GiB) in {index * 7 // 60}m {index * 7 % 60:02}s, "
            f"read: {108 + index * 7 % 19} MiB/s, write: {90 + index * 5 % 13} MiB/s"
        )
    return first, steps
