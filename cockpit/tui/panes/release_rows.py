"""Releases as rows."""

from __future__ import annotations

from msgspec import Struct

from cockpit.actions.run import Run
from cockpit.domain import units
from cockpit.domain.errors import Exit
from cockpit.domain.hosts import Attempt, AttemptKind, Result
from cockpit.domain.releases import Release
from cockpit.tui.ink import EMPTY, TONES, Column, Line, cut, ends, gap, shape, t, width
from cockpit.tui.panes.host_rows import commit
from cockpit.tui.panes.progress import follow

_SHAPES: dict[Result, str] = {
    Result.OPEN: "◐", Result.DONE: "●", Result.REVERTED: "↺", Result.REVERT_FAILED: "✕", Result.SUPERSEDED: "○",
    Result.REFUSED: "⊘", Result.FAILED: "✕",
}  # fmt: skip
_EXITS: dict[Exit, str] = {Exit.DONE: "●", Exit.REFUSED: "⊘", Exit.REVERTED: "↺", Exit.LOCKED: "⊘"}


def attempt_shape(attempt: Attempt) -> str:
    """A rollback that left a hold says so."""
    held = attempt.result is Result.DONE and attempt.hold is not None
    return "‖" if held else _SHAPES[attempt.result]


def release_columns(wide: bool) -> list[Column]:
    if not wide:
        return [
            Column("", 2),
            Column("hosts", 9),
            Column("commit", 7),
            Column("subject", 0),
            Column("by", 5),
            Column("age", 4, "r"),
            Column("outcome", 18),
        ]
    return [
        Column("run", 8), Column("", 2), Column("hosts", 12), Column("commit", 7), Column("subject", 30),
        Column("generation", 12), Column("by", 6),
        Column("ci run", 7), Column("age", 4, "r"), Column("took", 7, "r"), Column("outcome", 0),
    ]  # fmt: skip


def outcome(attempt: Attempt) -> str:
    match attempt.result:
        case Result.DONE:
            return "done, held" if attempt.hold else "done"
        case Result.OPEN:
            return attempt.phase or "open"
        case Result.FAILED | Result.REFUSED:
            prefix = "refused: " if attempt.result is Result.REFUSED else ""
            return prefix + (attempt.reason or "failed")
        case _:
            return str(attempt.result.value).replace("-", " ") + (f": {attempt.reason}" if attempt.reason else "")


class ReleaseRow(Struct, frozen=True):
    """A release, the run of this process that is it, or both."""

    release: Release | None
    run: Run | None
    all_hosts: int
    now: float
    me: str = "you"

    @property
    def key(self) -> str:
        return self.run.id if self.run else self.release.run if self.release else ""

    @property
    def live(self) -> bool:
        return self.run is not None and not self.run.finished

    @property
    def hosts(self) -> tuple[str, ...]:
        if self.release is not None:
            return self.release.hosts
        if self.run and self.run.plan:
            return tuple(h.host for h in self.run.plan.hosts)
        return tuple(sorted({e.host for e in self.run.log if e.host})) if self.run else ()

    @property
    def commit(self) -> str | None:
        if self.release is not None:
            return self.release.commit
        return next((h.commit or h.new.commit for h in self.run.plan.hosts), None) if self.run and self.run.plan else None

    @property
    def subject(self) -> str:
        if self.release is not None:
            return self.release.subject or ""
        if self.run is None:
            return ""
        host = self.run.plan.hosts[0] if self.run.plan and self.run.plan.hosts else None
        if host is None:
            return self.run.title
        if host.kind is AttemptKind.ROLLBACK:
            return f"roll back {host.old_generation} → {host.new_generation}"
        return host.subject or self.run.title

    @property
    def shapes(self) -> str:
        """One per host where they differ."""
        if self.live:
            return "◐"
        if self.release is not None:
            found = [attempt_shape(a) for a in self.release.attempts] + ["✕"] * len(self.release.failures)
        else:
            found = [_EXITS.get(h.exit, "✕") for h in self.run.outcome.hosts] if self.run and self.run.outcome else []
        return "".join(dict.fromkeys(found))[:2] or ("●" if self.run and self.run.outcome and not self.run.outcome.exit else "⊘")

    @property
    def words(self) -> str:
        return f"{self.key} {' '.join(self.hosts)} {self.commit or ''} {self.subject} {self._by} {self._outcome}"

    @property
    def _by(self) -> str:
        return self.release.who if self.release else self.me

    @property
    def _ci(self) -> str:
        origin = self.release.origin if self.release else ""
        return f"#{origin.rstrip('/').rpartition('/')[2]}" if "://" in origin else "–"

    @property
    def _outcome(self) -> str:
        if self.live and self.run is not None:
            model = follow(self.run.log, self.hosts)
            for host in model.hosts.values():
                if (name := host.current) is not None:
                    started = host.step(name).started
                    age = f", {units.exact_age(self.now - started)}" if started is not None else ""
                    return f"{host.host}: {name}{age}"
            return (
                "working out the plan"
                if self.run.plan is None
                else "waits for its approval"
                if not self.run.committed
                else "at work"
            )
        if self.release is not None:
            words = list(dict.fromkeys(outcome(a) for a in self.release.attempts)) + [
                f"{host}: {why}" for host, why in self.release.failures
            ]
            return ", ".join(words)
        return ", ".join(dict.fromkeys(h.text for h in self.run.outcome.hosts)) if self.run and self.run.outcome else ""

    @property
    def _where(self) -> str:
        if len(self.hosts) == self.all_hosts and self.all_hosts > 1:
            return "both" if self.all_hosts == 2 else f"all {self.all_hosts}"
        return ", ".join(self.hosts)

    @property
    def _generations(self) -> str:
        found = [str(a.generation) for a in self.release.attempts if a.generation is not None] if self.release else []
        return f"→ {', '.join(found)}" if found else "–"

    @property
    def _age(self) -> str:
        if self.live:
            return "now"
        if self.release is not None:
            return units.age(self.now - (self.release.ended or self.release.started))
        return units.age(self.now - self.run.started) if self.run else ""

    @property
    def _took(self) -> str:
        if self.live and self.run:
            return units.left(self.now - self.run.started)
        if self.release is not None and self.release.ended is not None:
            return units.duration(self.release.ended - self.release.started)
        return "–"

    def _shapes_line(self) -> Line:
        return tuple((c, TONES[c]) for c in self.shapes)

    def _outcome_line(self) -> Line:
        tone = TONES[self.shapes[0]]
        return t(self._outcome, tone if tone in ("warn", "bad", "busy") else "muted")

    def cells(self, wide: bool) -> list[Line]:
        strong = self.live
        subject = t(self.subject, "text b" if strong else "muted")
        age = t(self._age, "muted")
        if not wide:
            return [
                self._shapes_line(),
                t(self._where),
                t(commit(self.commit), "muted"),
                subject,
                t(self._by, "muted"),
                age,
                self._outcome_line(),
            ]
        return [
            t(self.key, "text b" if strong else "muted"), self._shapes_line(), t(self._where), t(commit(self.commit),
                "muted"), subject,
            t(self._generations, "muted"), t(self._by, "muted"), t(self._ci, "faint"), age, t(self._took,
                "text" if strong else "muted"),
            self._outcome_line(),
        ]  # fmt: skip

    def pair(self, cells: int) -> tuple[Line, Line]:
        age = t(self._age, "muted")
        first = ends(
            self._shapes_line()
            + gap(1)
            + t(self._where, "text b")
            + gap(1)
            + t(self._generations if self.release else "", "faint"),
            age,
            cells,
        )
        right = self._outcome_line()
        right = cut(right, cells // 2)
        left = cut(gap(2) + t(self.subject, "muted"), cells - width(right) - 2)
        return first, ends(left, right, cells)


def badge(shapes: str) -> Line:
    return shape(shapes[0]) if shapes else EMPTY
