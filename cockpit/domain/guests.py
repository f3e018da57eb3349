"""Virtual machines and containers of Proxmox VE, the nodes and storages that carry them, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct, field

from cockpit.domain.plan import Tier


class GuestKind(Enum):
    QEMU = "qemu"
    LXC = "lxc"


class Guest(Struct, frozen=True):
    """One row of `GET /cluster/resources?type=vm`."""

    cluster: str
    node: str
    vmid: int
    kind: GuestKind
    name: str
    status: str
    """`running`, `stopped`, `paused`; `unknown` while its node is offline."""
    template: bool = False
    cpu: float = 0.0
    """Share of its cores, 0..1."""
    cores: float = 0.0
    memory: int = 0
    memory_limit: int = 0
    disk: int = 0
    """Bytes; 0 where PVE does not know (every virtual machine)."""
    disk_limit: int = 0
    uptime: float = 0.0
    tags: tuple[str, ...] = ()
    lock: str = ""
    pool: str = ""
    ha: str = ""
    """State of the resource that HA manages it as; empty without HA."""

    @property
    def ref(self) -> str:
        return f"{self.cluster}/{self.vmid}"

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def label(self) -> str:
        """`101 web`."""
        return f"{self.vmid} {self.name}".strip()


class Node(Struct, frozen=True):
    cluster: str
    name: str
    online: bool
    cpu: float = 0.0
    cores: float = 0.0
    memory: int = 0
    memory_limit: int = 0
    disk: int = 0
    disk_limit: int = 0
    uptime: float = 0.0
    address: str = ""

    @property
    def ref(self) -> str:
        return f"{self.cluster}/node/{self.name}"


class Storage(Struct, frozen=True):
    """A storage as one node sees it; a shared one is there once for each node."""

    cluster: str
    node: str
    name: str
    kind: str
    """PVE's type of storage: `zfspool`, `nfs`, `dir` ..."""
    available: bool
    used: int = 0
    size: int = 0
    shared: bool = False
    content: tuple[str, ...] = ()
    """`images`, `rootdir`, `backup`, `iso` ..."""

    @property
    def ref(self) -> str:
        return f"{self.cluster}/storage/{self.node}/{self.name}"

    @property
    def free(self) -> int:
        return max(0, self.size - self.used)


class Snapshot(Struct, frozen=True):
    name: str
    taken: float | None
    """Seconds since the epoch."""
    description: str = ""
    parent: str = ""
    memory: bool = False
    """Whether it has the memory of the running machine too."""


class GuestTask(Struct, frozen=True):
    """A worker of PVE. Done only when `ended`; good only when its exit status says so."""

    upid: str
    cluster: str
    node: str
    kind: str
    """PVE's type: `qmstart`, `vzdump` ..."""
    target: str
    user: str
    started: float
    ended: float | None = None
    exit: str = ""
    """`OK`, `WARNINGS: n`, or why it failed; empty while it runs."""

    @property
    def running(self) -> bool:
        return not self.exit and self.ended is None

    @property
    def ok(self) -> bool:
        return self.exit == "OK" or self.exit.startswith("WARNINGS")


class Addresses(Struct, frozen=True):
    """What the guest says of itself, by its agent or by the container's namespace."""

    found: tuple[str, ...] = ()
    agent: bool | None = None
    """Whether the agent answers; None where there is none to ask."""


class Rights(Struct, frozen=True):
    """`GET /access/permissions`: privileges by path of the one who asks; None where they could not be read."""

    user: str = ""
    by_path: Mapping[str, Mapping[str, bool]] | None = None
    """path -> privilege -> whether it is passed on to what is below."""

    def has(self, path: str, privilege: str) -> bool:
        """The nearest path that is named decides; unknown rights are not a reason to refuse, the API will say."""
        if self.by_path is None:
            return True
        at, exact = path, True
        while True:
            if (found := self.by_path.get(at or "/")) is not None:
                return privilege in found and (exact or found[privilege])
            if at in ("", "/"):
                return False
            at, exact = at.rpartition("/")[0], False

    def lacks(self, guest: Guest, verb: Verb) -> str | None:
        """The privilege that is missing for it, in words: `VM.PowerMgmt on /vms/101`."""
        path = f"/vms/{guest.vmid}"
        if any(self.has(path, privilege) for privilege in verb.privileges):
            return None
        return f"{verb.privileges[0]} on {path}"


class Verb(Enum):
    """What can be done with a guest."""

    START = "start"
    SHUTDOWN = "shut down"
    STOP = "stop"
    REBOOT = "reboot"
    SNAPSHOT = "snapshot"
    ROLLBACK = "roll back"
    DELETE_SNAPSHOT = "delete snapshot"
    BACKUP = "back up"

    @property
    def privileges(self) -> tuple[str, ...]:
        """One of these is enough."""
        return _PRIVILEGES[self]

    @property
    def tier(self) -> Tier:
        return _TIERS[self]


_PRIVILEGES = {
    Verb.START: ("VM.PowerMgmt",),
    Verb.SHUTDOWN: ("VM.PowerMgmt",),
    Verb.STOP: ("VM.PowerMgmt",),
    Verb.REBOOT: ("VM.PowerMgmt",),
    Verb.SNAPSHOT: ("VM.Snapshot",),
    Verb.ROLLBACK: ("VM.Snapshot.Rollback", "VM.Snapshot"),
    Verb.DELETE_SNAPSHOT: ("VM.Snapshot",),
    Verb.BACKUP: ("VM.Backup",),
}
_TIERS = {
    Verb.START: Tier.REVERSIBLE,
    Verb.SNAPSHOT: Tier.REVERSIBLE,
    Verb.BACKUP: Tier.REVERSIBLE,
    Verb.SHUTDOWN: Tier.OUTAGE,
    Verb.STOP: Tier.OUTAGE,
    Verb.REBOOT: Tier.OUTAGE,
    Verb.ROLLBACK: Tier.DATA_LOSS,
    Verb.DELETE_SNAPSHOT: Tier.DATA_LOSS,
}


def unfit(guest: Guest, verb: Verb) -> str | None:
    """Why the state of a guest forbids it; None when it fits."""
    if guest.status == "unknown":
        return f"node {guest.node} is offline"
    if guest.lock:
        return f"it is locked ({guest.lock})"
    if guest.template and verb in (Verb.START, Verb.SHUTDOWN, Verb.STOP, Verb.REBOOT, Verb.SNAPSHOT, Verb.ROLLBACK):
        return "it is a template"
    if verb is Verb.START and guest.running:
        return "it is running"
    if verb in (Verb.SHUTDOWN, Verb.STOP, Verb.REBOOT) and guest.status == "stopped":
        return "it is stopped"
    return None


class GuestChange(Struct, frozen=True):
    """One thing that is done to one guest."""

    guest: Guest
    verb: Verb
    snapshot: str = ""
    description: str = ""
    storage: str = ""


def _none() -> Mapping[str, object]:
    return MappingProxyType({})


class ClusterSnapshot(Struct, frozen=True):
    """Everything of a cluster at one moment."""

    cluster: str
    taken: float
    guests: tuple[Guest, ...] = ()
    nodes: tuple[Node, ...] = ()
    storages: tuple[Storage, ...] = ()
    quorate: bool = True
    rights: Rights = Rights()
    tasks: tuple[GuestTask, ...] = ()
    """Recent ones of all nodes, newest first."""

    def guest(self, vmid: int) -> Guest | None:
        return next((g for g in self.guests if g.vmid == vmid), None)


class GuestDetail(Struct, frozen=True):
    """What is read of the one guest that is looked at."""

    snapshots: tuple[Snapshot, ...] = ()
    tasks: tuple[GuestTask, ...] = ()
    config: Mapping[str, object] = field(default_factory=_none)
