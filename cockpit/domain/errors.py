"""What can go wrong, for people and for exit codes.

CockpitError                  exit  what a person must know
 ├── Defect                      1  a mistake in cockpit itself
 ├── UsageError                  2  the command line cannot be carried out as it stands
 │    └── SettingsError          2  cockpit.yaml is wrong; carries every complaint with file and line
 ├── Unreachable                 3  no connection to a host
 │    └── HostKeyMismatch        3  something answers, but not with the pinned key
 ├── BuildFailed                 4  nothing changed: evaluation, build, compose file, image or disk during prepare
 ├── Reverted                    5  the transaction failed; the old release runs
 ├── RevertFailed                6  neither release could be made whole; RESCUE.txt on the host
 ├── Locked                      7  somebody else's transaction holds the host
 ├── SecretError                 8  a secret cannot be decrypted, or is plain text
 ├── Refused                     9  a rule of safety says no; nothing changed
 │    └── Conflict               9  the target changed since it was read; nothing changed
 ├── OutcomeUnknown             11  the connection was lost after approval: `cockpit attach`
 └── OperationFailed            12  what was asked for was tried and did not work: a start, a snapshot, a push
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line and of the host programs (one set, so that a code means the same everywhere)."""

    DONE = 0
    DEFECT = 1
    USAGE = 2
    UNREACHABLE = 3
    BUILD = 4
    REVERTED = 5
    REVERT_FAILED = 6
    LOCKED = 7
    SECRET = 8
    REFUSED = 9
    TO_DO = 10
    UNKNOWN = 11
    FAILED = 12


WORST_FIRST: tuple[Exit, ...] = (
    Exit.USAGE,
    Exit.REVERT_FAILED,
    Exit.DEFECT,
    Exit.UNKNOWN,
    Exit.REVERTED,
    Exit.FAILED,
    Exit.BUILD,
    Exit.SECRET,
    Exit.UNREACHABLE,
    Exit.LOCKED,
    Exit.REFUSED,
    Exit.TO_DO,
    Exit.DONE,
)
"""Of several hosts, the exit code that the command returns is the first of these that occurred."""


def worst(codes: list[Exit]) -> Exit:
    """The code that a run over several hosts ends with; DONE for none."""
    return min(codes, key=WORST_FIRST.index, default=Exit.DONE)


class CockpitError(Exception):
    """Something that a person can act on: what happened, why, and the hint that helps next."""

    exit: Exit = Exit.DEFECT

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return ": ".join(part for part in (self.what, self.why) if part)


class Defect(CockpitError):
    exit = Exit.DEFECT


class UsageError(CockpitError):
    exit = Exit.USAGE


class Unreachable(CockpitError):
    exit = Exit.UNREACHABLE


class HostKeyMismatch(Unreachable):
    pass


class BuildFailed(CockpitError):
    exit = Exit.BUILD


class Reverted(CockpitError):
    exit = Exit.REVERTED


class RevertFailed(CockpitError):
    exit = Exit.REVERT_FAILED


class Locked(CockpitError):
    exit = Exit.LOCKED


class SecretError(CockpitError):
    exit = Exit.SECRET


class Refused(CockpitError):
    exit = Exit.REFUSED


class Conflict(Refused):
    pass


class OutcomeUnknown(CockpitError):
    exit = Exit.UNKNOWN


class OperationFailed(CockpitError):
    exit = Exit.FAILED


class Complaint:
    """One thing that is wrong in a settings file."""

    __slots__ = ("expected", "file", "key", "line", "nearest", "what")

    def __init__(self, file: str, line: int, key: str, what: str, expected: str = "", nearest: str = "") -> None:
        self.file = file
        self.line = line
        self.key = key
        self.what = what
        self.expected = expected
        self.nearest = nearest

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.key}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest:
            text += f"; did you mean {self.nearest!r}?"
        return text


class SettingsError(UsageError):
    """The settings cannot be used; every complaint at once, in file order."""

    def __init__(self, complaints: list[Complaint]) -> None:
        first = complaints[0]
        super().__init__(
            f"{first.file} has {len(complaints)} mistake{'s' if len(complaints) > 1 else ''}",
            "\n".join(str(c) for c in complaints),
            "mend these lines; `cockpit config schema` prints what is possible",
        )
        self.complaints = complaints


BY_EXIT: dict[Exit, type[CockpitError]] = {
    Exit.DEFECT: Defect,
    Exit.USAGE: UsageError,
    Exit.UNREACHABLE: Unreachable,
    Exit.BUILD: BuildFailed,
    Exit.REVERTED: Reverted,
    Exit.REVERT_FAILED: RevertFailed,
    Exit.LOCKED: Locked,
    Exit.SECRET: SecretError,
    Exit.REFUSED: Refused,
    Exit.UNKNOWN: OutcomeUnknown,
    Exit.FAILED: OperationFailed,
}
"""The error class of an exit code that a host program answered with."""
