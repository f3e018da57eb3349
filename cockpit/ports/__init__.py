"""What cockpit needs from the world. Adapters implement these; actions and observers know nothing else.

Every call has a deadline inside its adapter and raises only `cockpit.domain.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from cockpit.domain.containers import ContainerDetail, Lifecycle
from cockpit.domain.contents import Contents
from cockpit.domain.files import Change, Content, Entry, PushTarget, WorkStatus
from cockpit.domain.guests import Addresses, ClusterSnapshot, Guest, GuestChange, GuestTask, Snapshot
from cockpit.domain.hosts import HostFacts, Prospect
from cockpit.domain.inventory import Inventory
from cockpit.domain.plan import PackageChange, ServiceChange
from cockpit.domain.repository import Commit, TreeState
from cockpit.domain.secret import Secret
from cockpit.domain.services import LogItem, Service, ServicesSnapshot, Usage
from cockpit.domain.settings import ClusterSettings, HostSettings


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Repository(Protocol):
    """The homelab's git work tree."""

    async def tree(self) -> TreeState: ...

    async def resolve(self, revision: str) -> Commit:
        """The commit of a revision. UsageError when there is none."""

    async def check_deployable(self, commit: str, folders: Sequence[str]) -> None:
        """Refuses shallow clones, LFS pointers and submodules under these folders, with the fix. Raises Refused."""

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """False also where either commit is unknown here."""

    async def log(self, include: str, exclude: Sequence[str] = (), limit: int = 1000) -> tuple[Commit, ...]:
        """Commits reachable from `include` and from none of `exclude`, newest first. Unknown `exclude` are ignored."""

    async def read(self, commit: str, path: str) -> bytes:
        """A file of a commit. UsageError when it is not there."""

    async def files_in(self, commit: str, folder: str) -> tuple[str, ...]:
        """Of the files at the top of a folder of a commit; none where there is no such folder."""

    async def tree_id(self, commit: str, path: str) -> str | None:
        """Object id of a path in a commit."""

    async def known(self, commits: Sequence[str]) -> tuple[str, ...]:
        """Those of the commits that this repository has."""

    def pack(self, commit: str, haves: Sequence[str]) -> AsyncIterator[bytes]:
        """`git pack-objects --revs --thin --stdout` of what `haves` lack, in chunks."""

    async def subjects(self, commits: Sequence[str]) -> dict[str, Commit]:
        """Commits by full sha, those that are known here."""


class HostEvent(Struct, frozen=True):
    """One line of /run/cockpit/runs/RUN/events (docs/host-protocol.md)."""

    offset: int
    """Byte offset just behind this line: watch again from here."""
    time: float
    event: str
    """start | progress | wait | output | warn | end | decided | closed."""
    phase: str = ""
    text: str = ""
    seconds: float | None = None
    left: float | None = None
    done: float | None = None
    data: dict[str, Any] = field(default_factory=dict)


class Host(Protocol):
    """A NixOS host with cockpit's programs. One connection, reconnecting; nothing is installed by reading."""

    @property
    def settings(self) -> HostSettings: ...

    async def facts(self, *, deep: bool = True) -> HostFacts:
        """One round trip, no root. `deep=False` leaves out disks, units and older generations (same-commit fast path)."""

    async def haves(self) -> tuple[str, ...]:
        """Commits of refs/cockpit/* in the host's repo.git."""

    async def receive(self, commit: str, pack: AsyncIterator[bytes]) -> None: ...

    def build(self, run: str, commit: str) -> AsyncIterator[str | BuildResult]:
        """Build log lines, then one BuildResult. Raises BuildFailed with the last lines that name the cause."""

    async def check(self, request: dict[str, Any]) -> dict[str, Any]:
        """The host's part of a plan. Request and answer: docs/host-protocol.md."""

    async def run(self, request: dict[str, Any]) -> None:
        """Starts the transaction; returns once it holds the lock and its attempt is open. Locked, Refused."""

    async def confirm(self, run: str, proof: str) -> None:
        """By a *new* connection on the configured address: `proof` is `reach` or `confirm`."""

    def watch(self, run: str, offset: int = 0) -> AsyncIterator[HostEvent]:
        """The run's events from a byte offset, until it is closed. Unreachable when the connection is lost."""

    async def outcome(self, run: str) -> dict[str, Any] | None:
        """The closed record of a run (any unique prefix), from disk after an fsync; None while it is open. Refused if unknown."""

    async def recover(self) -> None:
        """Starts recovery where an attempt is open and no unit runs."""

    async def diff(self, old: str, new: str) -> tuple[PackageChange, ...]:
        """Packages that differ between two closures (store paths)."""

    async def contents(self, closure: str | None = None) -> Contents:
        """What a system on it consists of, or the running one. Reads only, needs neither root nor the engine."""

    async def units(self) -> tuple[tuple[str, str, str], ...]:
        """(unit, active state, description) of services and timers that matter: failed first."""

    async def journal(self, unit: str | None = None, lines: int = 200) -> tuple[str, ...]: ...

    async def close(self) -> None: ...


class FirstContact(Host, Protocol):
    """A host that has no programs of cockpit's, as root. It is a Host once `prepare` named the system whose programs are used;
    the proof of reachability goes by the deploy user from the beginning."""

    async def look(self) -> Prospect:
        """Reads only."""

    def build_first(self, run: str, commit: str, pack: AsyncIterator[bytes]) -> AsyncIterator[str | BuildResult]:
        """Like `receive` and `build`, with the git and nix that the host has."""

    async def lacks(self, paths: Sequence[str]) -> tuple[str, ...]:
        """Those store paths that the host does not have, in their order."""

    async def take(self, run: str, closure: str, stream: AsyncIterator[bytes]) -> None:
        """Imports what `Builder.export` gives."""

    async def prepare(self, run: str, closure: str) -> None:
        """Roots the system there, pulls its images. Refused where it does not have cockpit's programs."""


class Surveyor(Protocol):
    """A host that is not cockpit's yet, looked at from outside."""

    async def inventory(self) -> Inventory:
        """Reads only. Refused where not enough may be read."""

    async def close(self) -> None: ...


class Builder(Protocol):
    """Builds systems of hosts on this machine. UsageError where nix is missing."""

    async def build(self, host: HostSettings, commit: str | None, told: Callable[[str], None]) -> str:
        """Store path of the system as a commit has it, or the work tree; `told` gets the log as it comes. BuildFailed."""

    async def contents(self, host: HostSettings, closure: str) -> Contents:
        """What a built system consists of."""

    async def requisites(self, closure: str) -> tuple[str, ...]:
        """Store paths of the closure, what is referred to first."""

    def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        """What a store takes by import."""


class ComposeHost(Protocol):
    """A host that brings compose projects of its running release up and down."""

    @property
    def settings(self) -> HostSettings: ...

    async def compose_plan(self, project: str) -> tuple[ServiceChange, ...]:
        """What `up` would do to each service of a project of the running release. Refused, Locked, BuildFailed."""

    def compose(
        self, verb: Lifecycle, project: str, service: str, request: dict[str, Any]
    ) -> AsyncIterator[str | dict[str, Any]]:
        """Up, pull or down by the running release, under the host's lock: lines as they come, then the answer
        (docs/host-protocol.md). Locked, Refused: nothing changed. OperationFailed. OutcomeUnknown: the connection was lost."""


class BuildResult(Struct, frozen=True):
    closure: str
    seconds: float


class ContainerEngine(Protocol):
    """A Docker engine, local or through the host's SSH connection."""

    async def services(self) -> ServicesSnapshot: ...

    def changes(self) -> AsyncIterator[str]:
        """Yields a container id whenever one changes state (engine's event stream)."""

    def logs(self, containers: Sequence[str], *, since: float | None = None, tail: int = 200) -> AsyncIterator[list[LogItem]]:
        """Live lines of these containers, merged, in batches. Bounded: what overflows is dropped, with a LogGap."""

    async def history(self, containers: Sequence[str], *, since: float | None = None, tail: int | None = 200) -> list[LogItem]:
        """Lines up to now, merged by time; `tail` of each container, None for all. Bounded, with a LogGap where more is there."""

    async def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        """By container id. The cpu is that since the call before: the first one says 0."""

    async def container(self, container: str) -> ContainerDetail | None:
        """As it is now, past every cache; None when it is gone."""

    async def change(self, container: str, verb: Lifecycle, *, grace: float) -> None:
        """Start, stop or restart; `grace` seconds pass between signal and kill. What became of it is read by `container`.
        OperationFailed, Conflict: nothing came of it. Unreachable: it may have."""

    async def close(self) -> None: ...


class ContainerShell(Protocol):
    """A shell in a container, in the terminal of this process."""

    def command(self, service: Service) -> tuple[str, ...]:
        """The program and its arguments."""

    async def open(self, service: Service) -> int:
        """To its end; its exit status."""


class Hypervisor(Protocol):
    """A Proxmox VE cluster. Reads are tried again; a change is sent once, whatever becomes of its answer."""

    @property
    def settings(self) -> ClusterSettings: ...

    async def snapshot(self) -> ClusterSnapshot: ...

    async def guest(self, vmid: int) -> Guest:
        """As it is now, past every cache. UsageError when there is none."""

    async def addresses(self, guest: Guest) -> Addresses:
        """What a running guest says of itself; a hung agent costs three seconds at most."""

    async def snapshots(self, guest: Guest) -> tuple[Snapshot, ...]:
        """Oldest first."""

    async def config(self, guest: Guest) -> dict[str, str]: ...

    async def tasks(self, guest: Guest) -> tuple[GuestTask, ...]:
        """Recent ones of this guest, newest first."""

    async def task(self, upid: str) -> GuestTask: ...

    async def task_log(self, upid: str, start: int = 0) -> tuple[str, ...]:
        """Lines from number `start` on, counted from 0; at most 500."""

    def commands(self, change: GuestChange) -> tuple[str, ...]:
        """What a person would type on a node to get the same."""

    async def change(self, change: GuestChange) -> str:
        """Starts the task that does it; the answer is its UPID. A lost answer is looked for among the tasks, never asked again:
        OutcomeUnknown when none is found. Locked, Refused, OperationFailed, Unreachable: nothing was changed."""

    async def close(self) -> None: ...


class SecretStore(Protocol):
    """Encrypted files of the repository. Plain text is in memory only, as `Secret`."""

    async def decrypt(self, path: str, data: bytes, key: str | None = None) -> Secret:
        """A whole file, or one dotted key in it. SecretError: plain text, no key for it, damaged, no such key."""

    async def encrypt(self, path: str, plain: Secret) -> bytes:
        """The encrypted file, for the recipients that the repository's rules give its path. UsageError, SecretError."""

    def is_encrypted(self, path: str, data: bytes) -> bool: ...

    async def version(self) -> str:
        """Of the program that does it."""

    async def reencrypt(self, path: str, plain: Secret, before: bytes) -> bytes:
        """Like `encrypt`; what is the same as in `before`, the encrypted file that stands there, keeps its cipher text."""

    def lost(self, path: str, wanted: Secret, got: Secret) -> str:
        """The first place where `got`, what decrypts now, no longer says what `wanted` does; empty where nothing is lost."""

    def governs(self, path: str) -> bool:
        """Whether a rule with a path names it: such a file belongs encrypted."""

    def readers(self, path: str, data: bytes) -> tuple[str, ...]:
        """Recipients of an encrypted file."""


class WorkTree(Protocol):
    """The files of the repository as they stand on the disk, and what git does with them.

    Paths are relative to the top. Refused: outside the tree, through a link out of it, in git's own folder.
    """

    async def status(self) -> WorkStatus: ...

    async def entries(self, most: int) -> tuple[tuple[Entry, ...], int]:
        """(tracked and untracked files in path order, how many were left out); ignored ones are not among them."""

    async def read(self, path: str, most: int) -> Content:
        """UsageError: not there, no regular file, more than `most` bytes. Refused: outside."""

    async def read_many(self, paths: Sequence[str], most: int) -> dict[str, bytes]:
        """Those that can be read, each of at most `most` bytes."""

    async def at_head(self, path: str) -> bytes | None:
        """The file of the last commit; None where it has none."""

    async def at_index(self, path: str) -> bytes | None:
        """The file as it is staged."""

    async def write(self, path: str, data: bytes, expected: str) -> Content:
        """All of it or nothing, with the mode that it has. Conflict where the digest is no longer `expected`."""

    async def stage(self, paths: Sequence[str]) -> None: ...

    async def unstage(self, paths: Sequence[str]) -> None: ...

    async def commit(self, message: str, *, amend: bool) -> str:
        """The new commit. An empty message keeps that of the commit that is amended."""

    async def message(self) -> str:
        """Of the last commit."""

    async def push_target(self) -> PushTarget:
        """Where a push would go, and what. Refused where there is no branch or no remote."""

    async def push(self, target: PushTarget) -> None: ...

    async def pull(self) -> str:
        """Fast-forward only; what it brought, in words."""

    async def discard(self, changes: Sequence[Change]) -> None:
        """Puts these back as HEAD has them; what HEAD does not have is deleted."""

    def lazygit(self) -> str:
        """Path of the program; empty where it is not installed."""

    async def run_lazygit(self) -> int:
        """In the terminal of this process, to its end."""


class AuditLog(Protocol):
    """Append-only record of what was tried from this machine."""

    def append(self, record: dict[str, Any]) -> None: ...

    def records(self, limit: int = 500) -> list[dict[str, Any]]: ...
