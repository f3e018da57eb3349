"""Releases: attempts of all hosts, joined by run."""

from __future__ import annotations

from msgspec import Struct

from cockpit.domain.errors import Exit
from cockpit.domain.hosts import Attempt, AttemptKind, Result


class Release(Struct, frozen=True):
    """One run over one or more hosts, as Releases shows it."""

    run: str
    kind: AttemptKind
    commit: str | None
    subject: str | None
    who: str
    origin: str
    started: float
    ended: float | None
    attempts: tuple[Attempt, ...]
    """One per host that it reached, by host name."""
    failures: tuple[tuple[str, str], ...] = ()
    """(host, why) of hosts that it never reached (audit log)."""
    exit: Exit | None = None

    @property
    def running(self) -> bool:
        return any(a.result is Result.OPEN for a in self.attempts)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted({a.host for a in self.attempts} | {h for h, _ in self.failures}))
