"""What an action would do. A plan is read-only, complete, and carries the state that it is based on."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from cockpit.domain.errors import Exit
from cockpit.domain.hosts import AttemptKind, Closure, Hold


class Tier(Enum):
    """How dangerous something is; decides what is asked before it happens."""

    READ = 0
    REVERSIBLE = 1
    OUTAGE = 2
    DATA_LOSS = 3


class Change(Enum):
    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    REMOVE = "remove"
    KEEP = "keep"


class ServiceChange(Struct, frozen=True):
    project: str
    service: str
    change: Change
    why: str = ""
    """`image`, `config`, `mount PATH`, `secret NAME`, `not running`, `no longer in the release` ..."""
    old_image: str | None = None
    new_image: str | None = None


class UnitChanges(Struct, frozen=True):
    stop: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    start: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.stop) + len(self.restart) + len(self.reload) + len(self.start)


class SecretChange(Struct, frozen=True):
    project: str
    name: str
    change: str
    """`new`, `changed`, `removed` or `same`."""


class Problem(Struct, frozen=True):
    """Something that keeps the plan from being applied."""

    exit: Exit
    what: str
    why: str = ""
    hint: str = ""


class PackageChange(Struct, frozen=True):
    name: str
    old: str | None
    new: str | None


class Take(Struct, frozen=True):
    """Whose content wins where a file was changed on the host and in git, too. Absolute paths on the host, or `all`."""

    host: tuple[str, ...] = ()
    git: tuple[str, ...] = ()
    """The host's content is kept beside the file."""


class Allow(Struct, frozen=True):
    """What a person allows a deploy to do that it would refuse otherwise."""

    rewind: bool = False
    """A commit that does not contain what runs."""
    resume: bool = False
    """What a rollback left behind: lifts the hold."""
    from_test: bool = False
    """Over a system that is not the profile's."""
    take: Take = Take()


class HostPlan(Struct, frozen=True):
    host: str
    kind: AttemptKind
    base: str
    """Hash of what the host runs; compared again under the lock."""
    old: Closure
    old_generation: int | None
    new: Closure
    new_generation: int | None
    """The generation to switch to; None where the profile will get a new one."""
    commit: str | None
    subject: str | None
    units: UnitChanges = UnitChanges()
    services: tuple[ServiceChange, ...] = ()
    secrets: tuple[SecretChange, ...] = ()
    packages: tuple[PackageChange, ...] = ()
    reboot: tuple[str, str] | None = None
    inhibitors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    hold: Hold | None = None
    """The hold that this plan would lift (deploy --resume) or that is in force."""
    abandons: tuple[str, ...] = ()
    """Commits that a rollback would abandon."""
    leaves_out: tuple[tuple[str, str], ...] = ()
    """(commit, subject) of a rollback: what runs and is not in the target."""
    nothing_to_do: bool = False
    commands: tuple[str, ...] = ()
    """The commands in full, as they will be run, for the dialog and the journal."""
    revert_after: float = 300.0
    take: Take = Take()
    unknown: tuple[str, ...] = ()
    """What a plan that may only read cannot say."""
    over: str | None = None
    """Run id of an attempt that ended on neither release and stays open: this plan goes over it."""

    @property
    def interrupted(self) -> tuple[ServiceChange, ...]:
        return tuple(s for s in self.services if s.change is not Change.KEEP)


class Plan(Struct, frozen=True):
    run: str
    action: str
    """`deploy`, `rollback` or `resume`: an id of the catalogue."""
    title: str
    hosts: tuple[HostPlan, ...]
    failures: tuple[tuple[str, Problem], ...] = ()
    """(host, problem) of hosts for which there could be no plan."""

    @property
    def nothing_to_do(self) -> bool:
        return not self.failures and all(h.nothing_to_do for h in self.hosts)

    @property
    def tier(self) -> Tier:
        return Tier.READ if self.nothing_to_do else Tier.REVERSIBLE if self.action == "resume" else Tier.OUTAGE
