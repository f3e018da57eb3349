"""NixOS hosts and their generations, as read in one round trip."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Badge(Enum):
    """What a generation is, besides its number."""

    RUNNING = "running"
    """/run/current-system points at it."""
    DEFAULT = "default"
    """The boot loader's default entry."""
    BOOTED = "booted"
    NEEDS_REBOOT = "needs-reboot"
    """Kernel, initrd or modules differ from the booted ones."""
    TEST_ONLY = "test-only"
    """Runs, but is no generation of the profile."""
    HELD = "held"
    DIRTY = "dirty"
    """Its closure names no commit."""


class Closure(Struct, frozen=True):
    """A built system."""

    path: str
    commit: str | None = None
    """`system.configurationRevision`, 40 hex digits; None for a tree that was dirty or does not say."""
    subject: str | None = None
    nixos: str | None = None
    kernel: str | None = None
    has_cockpit: bool = False


class Verdict(Enum):
    """How a generation did while it ran."""

    GOOD = "good"
    UNHEALTHY = "unhealthy"
    ABANDONED = "abandoned"
    BY_HAND = "by hand"
    """No attempt of cockpit made it."""
    UNKNOWN = "–"


class GenerationOutcome(Struct, frozen=True):
    verdict: Verdict
    seconds: float | None = None
    """How long it ran, where that is known."""
    why: str = ""


class Generation(Struct, frozen=True):
    number: int | None
    """None for a running `test` that is no generation."""
    closure: Closure
    created: float | None
    """Seconds since the epoch, mtime of the profile link itself."""
    badges: frozenset[Badge] = frozenset()
    outcome: GenerationOutcome = GenerationOutcome(Verdict.UNKNOWN)
    by: str | None = None
    size: int | None = None
    """Closure size in bytes; None until asked for."""


class Disk(Struct, frozen=True):
    mount: str
    used: int
    """Bytes."""
    size: int

    @property
    def share(self) -> float:
        return self.used / self.size if self.size else 0.0


class Holder(Struct, frozen=True):
    """Who holds the host's lock (believed only while the transaction's unit is active)."""

    run: str
    who: str
    origin: str
    since: float
    kind: str = "deploy"


class Hold(Struct, frozen=True):
    """A rollback's record: commits that must not come back by the next push."""

    run: str
    abandoned: tuple[str, ...]
    by: str
    at: float
    generation: int | None = None
    why: str = ""


class HostFacts(Struct, frozen=True):
    """One reading of a host. `read_at` is the controller's clock; everything else is what the host said."""

    name: str
    read_at: float
    host_time: float
    running: Closure
    booted: str | None
    boot_default: str | None
    profile: str | None
    profile_generation: int | None
    generations: tuple[Generation, ...]
    """Newest first; a running `test` is an unnumbered first row."""
    failed_units: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    load: float | None = None
    uptime: float | None = None
    """Seconds."""
    reboot: tuple[str, str] | None = None
    """(booted kernel, current kernel) where a reboot is needed."""
    attempts: tuple[Attempt, ...] = ()
    """Newest first."""
    hold: Hold | None = None
    holder: Holder | None = None
    owned_projects: tuple[str, ...] = ()
    manifest: Manifest | None = None
    stopped: tuple[str, ...] = ()
    """`project/service` of the running release that are not as they should be (not running, unhealthy)."""

    @property
    def running_generation(self) -> Generation | None:
        return next((g for g in self.generations if Badge.RUNNING in g.badges), None)


class ManifestProject(Struct, frozen=True):
    name: str
    directory: str
    services: tuple[str, ...] = ()
    oneshots: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Manifest(Struct, frozen=True):
    """What a release says of itself: TOPLEVEL/cockpit/manifest.json (docs/host-protocol.md)."""

    commit: str | None
    host: str
    keep: int
    projects: tuple[ManifestProject, ...] = ()


class Prospect(Struct, frozen=True):
    """A host before its first contact: what there is to work with."""

    nixos: bool
    root: bool
    """Whether commands can be run as root there."""
    cockpit: bool
    """Whether the running system has cockpit's programs already."""
    git: bool
    haves: tuple[str, ...] = ()
    """Commits that an earlier try has sent."""


class AttemptKind(Enum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESUME = "resume"
    BOOTSTRAP = "bootstrap"


class Result(Enum):
    """How an attempt ended. OPEN has no closed record yet."""

    OPEN = "open"
    DONE = "done"
    REVERTED = "reverted"
    REVERT_FAILED = "revert-failed"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    """Never reached the host's transaction: known from the controller's audit log only."""
    FAILED = "failed"
    """Ended before the transaction (build, secrets, connection): audit log only."""


class Attempt(Struct, frozen=True):
    """One deploy, rollback or resume on one host."""

    seq: int
    run: str
    host: str
    kind: AttemptKind
    who: str
    origin: str
    """Where it was started: host name, or the CI run's URL."""
    started: float
    commit: str | None
    subject: str | None
    old_closure: str
    old_generation: int | None
    old_commit: str | None
    new_closure: str
    new_generation: int | None
    result: Result
    decision: str | None = None
    """`confirmed`, `reverted`, or None while undecided."""
    abandoned: str | None = None
    phase: str | None = None
    """The phase that runs, or in which it failed."""
    reason: str = ""
    ended: float | None = None
    generation: int | None = None
    """The generation that ran at the end."""
    hold: Hold | None = None
    previous_healthy: bool | None = None
    """Health of the old release, written down by the supervisor before it starts."""
    timings: tuple[tuple[str, float], ...] = ()
    """(phase, seconds), in order."""
