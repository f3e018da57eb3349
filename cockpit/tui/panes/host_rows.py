"""Hosts and generations as rows: pure functions from what was read to lines."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cockpit.domain import units
from cockpit.domain.hosts import Badge, Closure, Generation, HostFacts, Verdict
from cockpit.domain.settings import HostSettings
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Column, Line, cut, ends, fit, gap, join, restyle, shape, t, width

FULL = 0.80
"""A file system is worth a look from here on."""

BADGES = {
    Badge.RUNNING: "good b", Badge.TEST_ONLY: "busy", Badge.DEFAULT: "muted", Badge.BOOTED: "muted",
    Badge.NEEDS_REBOOT: "warn", Badge.HELD: "warn", Badge.DIRTY: "warn",
}  # fmt: skip
"""In the order in which they are drawn."""
VERDICTS = {Verdict.GOOD: "●", Verdict.UNHEALTHY: "✕", Verdict.ABANDONED: "‖", Verdict.BY_HAND: "▲", Verdict.UNKNOWN: "○"}


class HostRow(Struct, frozen=True):
    """One host as the table needs it."""

    settings: HostSettings
    seen: Observation[HostFacts]
    against: str
    """How it stands against main, in words; empty until known."""
    now: float

    @property
    def facts(self) -> HostFacts | None:
        return self.seen.value

    @property
    def shape(self) -> str:
        facts = self.facts
        if facts is None or self.seen.stale:
            return "◌"
        if facts.failed_units or facts.stopped:
            return "✕"
        if facts.holder:
            return "◐"
        if facts.hold:
            return "‖"
        return "▲" if facts.reboot or any(d.share >= FULL for d in facts.disks) else "●"

    @property
    def words(self) -> str:
        """What a filter looks at."""
        facts = self.facts
        return f"{self.settings.name} {' '.join(self.settings.tags)} {self.against} {facts.running.subject if facts else ''}"


def mounts(rows: Sequence[HostRow]) -> list[str]:
    """File systems that get a column: those of any host, most three."""
    order = ["/", "/nix", "/boot"]
    found = {d.mount for row in rows if row.facts for d in row.facts.disks}
    return [m for m in order if m in found] or ["/"]


def host_columns(shown: Sequence[str]) -> list[Column]:
    disks = [Column(mount, max(4, len(mount)), "r") for mount in shown]
    return [
        Column("host", 12), Column("runs", 5, "r"), Column("release", 28), Column("against main", 21), Column("units", 10),
        *disks,
        Column("reboot", 19), Column("load", 4, "r"), Column("up", 3, "r"), Column("address", 0, "r"), Column("seen", 4, "r"),
    ]  # fmt: skip


def number(generation: Generation | None) -> str:
    return str(generation.number) if generation and generation.number is not None else "test" if generation else "–"


def commit(sha: str | None) -> str:
    return sha[:7] if sha else "–"


def against(row: HostRow) -> Line:
    words = row.against
    if not words:
        return t("–", "faint")
    if words == "in step":
        return shape("✓") + t(" in step", "muted")
    if words.startswith("held"):
        return shape("‖") + t(f" {words}", "warn")
    return shape("≠") + t(f" {words}", "warn") if "behind" in words or "ahead" in words else t(words, "muted")


def failed(facts: HostFacts) -> Line:
    count = len(facts.failed_units)
    return shape("✕") + t(f" {count} failed", "bad") if count else shape("●", "muted") + t(" ok", "muted")


def share(facts: HostFacts, mount: str) -> Line:
    disk = next((d for d in facts.disks if d.mount == mount), None)
    return t(f"{disk.share:.0%}", "warn" if disk.share >= FULL else "text") if disk else t("–", "faint")


def silent(row: HostRow) -> str:
    """Why there is nothing newer, with the countdown."""
    if row.seen.error is None:
        return "connecting"
    wait = f"again in {units.left(row.seen.retry_at - row.now)}" if row.seen.retry_at is not None else ""
    return wait or row.seen.error.what


def seen_age(row: HostRow) -> str:
    return units.age(row.now - row.seen.read_at) if row.seen.read_at is not None else "–"


def host_cells(row: HostRow, shown: Sequence[str]) -> list[Line]:
    facts = row.facts
    name = shape(row.shape) + gap(1) + t(row.settings.name, "text b")
    if facts is None:
        why = t(row.seen.error.what if row.seen.error else "", "faint")
        blanks = [EMPTY] * (len(shown) + 4)
        wait = shape("◌") + t(f" {silent(row)}", "faint")
        return [restyle(name, "faint"), t("–", "faint"), why, wait, *blanks, t(row.settings.hostname, "faint"), t("–", "faint")]
    reboot = shape("↻") + t(f" {facts.reboot[0]} → {facts.reboot[1]}") if facts.reboot else t("no", "muted")
    cells = [
        name,
        t(number(facts.running_generation)),
        t(commit(facts.running.commit), "muted") + gap(1) + t(facts.running.subject or ""),
        against(row) if not row.seen.stale else shape("◌") + t(f" {silent(row)}", "faint"),
        failed(facts),
        *(share(facts, mount) for mount in shown),
        reboot,
        t(f"{facts.load:.2f}" if facts.load is not None else "–", "muted"),
        t(units.age(facts.uptime) if facts.uptime is not None else "–", "muted"),
        t(row.settings.hostname, "muted"),
        t(seen_age(row), "muted"),
    ]
    return [restyle(cell, "faint") for cell in cells] if row.seen.stale else cells


def findings(row: HostRow, most: int = 9) -> Line:
    """What is worth saying about a host where there are no columns."""
    facts = row.facts
    if facts is None or row.seen.stale:
        return t(silent(row), "faint")
    parts = [t(row.against, "warn" if row.against.startswith("held") or "behind" in row.against else "muted")]
    if facts.failed_units:
        parts.append(shape("✕") + t(f" {units.several(len(facts.failed_units), 'unit')}", "bad"))
    parts += [t(f"{d.mount} {d.share:.0%}", "warn") for d in facts.disks if d.share >= FULL]
    if facts.reboot:
        parts.append(shape("↻") + t(" reboot", "warn"))
    return join(parts[:most], gap(2))


def host_span(row: HostRow, cells: int) -> Line:
    """One line at 80 cells."""
    facts = row.facts
    name = shape(row.shape) + gap(1) + fit(t(row.settings.name, "text b"), 8) + gap(1)
    runs = fit(t(number(facts.running_generation) if facts else "–"), 4, "r")
    right: Line = EMPTY
    if facts is not None:
        load = f"{facts.load:.2f}" if facts.load is not None else "–"
        right = t(f"load {load}  up {units.age(facts.uptime) if facts.uptime is not None else '–'}  ", "muted")
    line = ends(name + runs + gap(2) + findings(row), right, cells)
    return restyle(line, "faint") if row.seen.stale else line


def host_pair(row: HostRow, cells: int) -> tuple[Line, Line]:
    facts = row.facts
    runs = t(number(facts.running_generation) if facts else "–")
    first = ends(shape(row.shape) + gap(1) + t(row.settings.name, "text b") + gap(1) + t("host", "faint"), runs, cells)
    second = ends(gap(2) + findings(row, 2), t(seen_age(row), "muted"), cells)
    return (restyle(first, "faint"), restyle(second, "faint")) if row.seen.stale else (first, second)


def generation_columns(wide: bool, sized: bool) -> list[Column]:
    if not wide:
        return [
            Column("gen", 4, "r"),
            Column("age", 3, "r"),
            Column("", 1),
            Column("badges", 28),
            Column("commit", 7),
            Column("subject", 0),
            Column("by", 7),
        ]
    sizes = [Column("size", 8, "r"), Column("delta", 10, "r")] if sized else []
    return [
        Column("", 1), Column("gen", 4, "r"), Column("age", 4, "r"), Column("badges", 29), Column("outcome", 11),
        Column("commit", 7),
        Column("subject", 0), Column("nixos", 6), Column("kernel", 8), *sizes, Column("by", 8),
    ]  # fmt: skip


def badges(generation: Generation) -> Line:
    return join([t(b.value, spec) for b, spec in BADGES.items() if b in generation.badges], gap(1))


def outcome(generation: Generation) -> str:
    verdict, seconds = generation.outcome.verdict, generation.outcome.seconds
    return f"{verdict.value}, {units.age(seconds)}" if verdict is Verdict.GOOD and seconds is not None else verdict.value


class GenerationRow(Struct, frozen=True):
    generation: Generation
    above: Generation | None
    below: Generation | None
    letter: str
    """`A`, `B` or nothing."""
    now: float
    stale: bool = False

    @property
    def key(self) -> str:
        return number(self.generation)

    @property
    def words(self) -> str:
        g = self.generation
        words = [self.key, g.closure.commit, g.closure.subject, g.by, *(b.value for b in g.badges), outcome(g)]
        return " ".join(word for word in words if word)

    @property
    def _number(self) -> Line:
        return t(self.key, "text b" if Badge.RUNNING in self.generation.badges else "text")

    @property
    def _age(self) -> Line:
        created = self.generation.created
        return t(units.age(self.now - created) if created is not None else "–", "muted")

    @property
    def _subject(self) -> Line:
        strong = self.letter or Badge.RUNNING in self.generation.badges
        return t(self.generation.closure.subject or "", "text" if strong else "muted")

    @property
    def _shape(self) -> Line:
        return shape(VERDICTS[self.generation.outcome.verdict])

    def _repeated(self, mine: str | None, above: str | None) -> Line:
        return t(mine or "–", "faint" if self.above is not None and mine == above else "muted")

    def _sizes(self) -> list[Line]:
        mine = self.generation.size
        before = self.below.size if self.below else None
        grown = t(units.delta(mine - before), "muted") if mine is not None and before is not None else t("–", "faint")
        return [t(units.size(mine), "muted"), grown]

    def cells(self, wide: bool, sized: bool) -> list[Line]:
        g, c = self.generation, self.generation.closure
        by = t(g.by or "–", "muted")
        if not wide:
            say = badges(g) or t(outcome(g), "faint")
            out = [self._number, self._age, self._shape, say, t(commit(c.commit), "muted"), self._subject, by]
        else:
            above = self.above.closure if self.above else None
            out = [
                t(self.letter, "accent b"), self._number, self._age, badges(g), self._shape + gap(1) + t(outcome(g), "muted"),
                t(commit(c.commit), "muted"), self._subject, self._repeated(_release(c), _release(above)),
                self._repeated(c.kernel, above.kernel if above else None), *(self._sizes() if sized else []), by,
            ]  # fmt: skip
        return [restyle(cell, "faint") for cell in out] if self.stale else out

    def pair(self, cells: int) -> tuple[Line, Line]:
        g = self.generation
        say = badges(g) or t(outcome(g), "muted")
        first = ends(self._shape + gap(1) + t(self.key, "text b") + gap(1) + cut(say, cells - 12), self._age, cells)
        by = t(g.by or "–", "faint")
        second = gap(2) + t(commit(g.closure.commit), "muted") + gap(1) + t(g.closure.subject or "", "muted")
        return first, ends(cut(second, cells - width(by) - 2), by, cells)


def _release(closure: Closure | None) -> str | None:
    """`25.11` of `25.11.20260101.abcdef`: the rest is the commit of nixpkgs, which no column has room for."""
    return None if closure is None or closure.nixos is None else ".".join(closure.nixos.split(".")[:2])


def previous_good(facts: HostFacts) -> Generation | None:
    """Where `<` goes: the newest good generation below the running one."""
    running = facts.running_generation
    below = [
        g
        for g in facts.generations
        if g.number is not None and (running is None or running.number is None or g.number < running.number)
    ]
    return next((g for g in below if g.outcome.verdict is Verdict.GOOD), None)
