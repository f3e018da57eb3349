"""Overview: problems first, each with its cause and the next key; then a line per layer, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult
from textual.widget import Widget

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import BY_ID, GUESTS, HOSTS, OVERVIEW, RELEASES, SERVICES, Context
from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Service
from cockpit.observe.timeline import Moment, moments
from cockpit.tui.commands import tier_mark
from cockpit.tui.ink import EMPTY, TONES, Line, cut, ends, fit, gap, heading, join, restyle, shape, t, title, width
from cockpit.tui.panes import overview_lines as lines
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.problems import ORDER, Problem, problems
from cockpit.tui.panes.service_rows import key_of
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Handlers, Rule, Surface, narrow, roomy
from cockpit.tui.work import work

RIGHT = 55
"""Cells of the right column, where there is room for two."""
BEFORE = 30 * 60.0
"""Seconds before the first trouble from which on changes are told."""
DAY = 86400.0
_WORDS = {"✕": "broken", "▲": "to look at", "‖": "held", "≠": "drift", "◐": "at work", "◌": "stale"}
_FOCUS = {"hosts": HOSTS, "services": SERVICES, "releases": RELEASES, "vms": GUESTS}
_SERVICE = ("service.logs", "service.shell", "service.describe", "service.environment", "service.url", "service.source")
"""What the pane of the service does."""


class OverviewPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.verdict = Sheet(OVERVIEW, "verdict")
        self.problems = RowTable(OVERVIEW, "problems")
        self.summary = Sheet(OVERVIEW, "summary")
        self.changes = Sheet(OVERVIEW, "timeline")
        self.beside = Sheet(OVERVIEW, "beside")
        self.left = Widget(self.verdict, self.problems, self.summary, self.changes)
        self.rule = Rule("overview-rule")
        self.right = Widget(self.beside)
        self.opened = False
        """Whether the timeline has the left column for itself."""
        self._touched = False
        """Whether somebody moved: before that the cursor is on the worst."""
        self._found: list[Problem] = []
        self._against: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield self.left
        yield self.rule
        yield self.right

    def on_mount(self) -> None:
        self.problems.heading = self._heading
        self.problems.show_titles = False
        self.problems.pairs = True
        self.problems.empty = self._nothing
        self.changes.heading = self._changes_heading
        self.changes.body = self._changed
        self.summary.body = self._summary
        self.verdict.body = self._verdict
        self.beside.body = self._beside
        for sheet in (self.summary, self.verdict, self.beside, self.changes):
            sheet.can_focus = False
            sheet.flush = True
        for column in (self.left, self.right):
            column.styles.layout = "vertical"
            column.styles.height = "1fr"
        self.rule.styles.height = "1fr"
        fleet = self.cockpit.fleet
        for facts in fleet.hosts.values():
            facts.listen(lambda seen: self._heard())
        for services in fleet.services.values():
            services.listen(lambda seen: self.fill())
        for cluster in fleet.guests.clusters.values():
            cluster.listen(lambda seen: self.fill())
        self.cockpit.files.observer.listen(lambda seen: self.fill())
        self._heard()

    def _heard(self) -> None:
        async def ask() -> None:
            for name in self.cockpit.fleet.hosts:
                try:
                    self._against[name] = await self.cockpit.fleet.against_main(name)
                except CockpitError:
                    self._against.pop(name, None)
            self.fill()

        work(self, ask, "against")

    def fill(self) -> None:
        if not self.is_mounted or not self.room.width:
            return
        self._found = problems(self.cockpit, self._against)
        self.problems.set_entries(
            [
                Entry(
                    p.id,
                    f"{p.what} {p.where} {p.finding} {p.cause}",
                    None,
                    partial(self._pair, p),
                    partial(self._span, p),
                    more=partial(self._more, p),
                )
                for p in self._found
            ]
        )
        if not self._touched and self._found:
            self.problems.select(self._found[0].id)
        self.relay()
        for sheet in (self.verdict, self.summary, self.changes, self.beside):
            sheet.redraw()

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        self._touched = self._touched or (bool(self._found) and event.key != self._found[0].id and event.table.has_focus)

    @property
    def problem(self) -> Problem | None:
        return next((p for p in self._found if p.id == self.problems.key), None)

    # problems

    def _pair(self, p: Problem, cells: int) -> tuple[Line, Line]:
        now = self.cockpit.clock.now()
        age = t(units.age(now - p.since) if p.since is not None else "", "muted")
        if narrow(cells):
            first = ends(
                shape(p.shape, f"{TONES[p.shape]} b") + gap(1) + t(p.what, "text b") + gap(1) + t(p.where, "faint"), age, cells
            )
            second = fit(gap(2) + t(p.finding, "muted"), cells)
        else:
            keys = self._keys(p)
            left = gap(1) + shape(p.shape, f"{TONES[p.shape]} b") + gap(1) + t(p.what, "text b") + gap(2) + t(p.where, "faint")
            first = ends(cut(left + gap(2) + t(p.finding), cells - 6), age, cells)
            second = ends(cut(gap(3) + t(p.cause, "muted"), cells - width(keys) - 2), keys, cells)
        return (restyle(first, "faint"), restyle(second, "faint")) if p.shape == "◌" else (first, second)

    @staticmethod
    def _keys(p: Problem) -> Line:
        return join(
            [t(BY_ID[a].label, "text b") + gap(1) + t(BY_ID[a].verb, "muted") + tier_mark(BY_ID[a].tier) for a in p.actions],
            gap(3),
        )

    def _span(self, p: Problem, cells: int) -> Line:
        """One line, where only the one under the cursor says more."""
        since = t(units.age(self.cockpit.clock.now() - p.since) if p.since is not None else "", "muted")
        left = shape(p.shape, f"{TONES[p.shape]} b") + gap(1) + t(p.what, "text b") + gap(2) + t(p.finding, "muted")
        line = ends(cut(left, cells - 7), since, cells - 1)
        return restyle(line, "faint") if p.shape == "◌" else line

    def _more(self, p: Problem, cells: int) -> Sequence[Line]:
        cause = " · ".join(words for words in (p.where, p.cause) if words)
        return [gap(2) + cut(t(cause, "muted"), cells - 3), gap(2) + self._keys(p)]

    def _heading(self, cells: int, focus: bool, typed: Line) -> Line:
        if not narrow(cells) and not roomy(self.room.width):
            return typed or lines.verdict([p.shape for p in self._found], _WORDS, self._healthy(), cells)
        name = title("Problems", focus) + (gap(2) + typed if typed else EMPTY)
        if narrow(cells):
            shapes = [p.shape for p in self._found]
            parts = [shape(c) + t(f" {shapes.count(c)}", TONES[c]) for c in ORDER if c in shapes]
            return heading(name, cells, join(parts, gap(2)))
        words = f"worst first · {len(self._found)}" if self._found else "none"
        return heading(name, cells, t(words, "muted"))

    def _nothing(self, cells: int) -> Sequence[Line]:
        read = [o for o in self.cockpit.fleet.hosts.values() if o.latest.value is not None]
        if not read:
            return [gap(2) + t("Reading the hosts for the first time.", "muted")]
        words = " All is well: what is read here is healthy, and hosts run what main says."
        return [gap(2) + shape("●") + t(words, "muted")]

    def _verdict(self, cells: int, rows: int) -> Sequence[Line]:
        return [lines.verdict([p.shape for p in self._found], _WORDS, self._healthy(), cells)]

    def _trouble(self) -> float | None:
        """When the oldest of what is broken broke."""
        return min((p.since for p in self._found if p.shape in "✕▲" and p.since is not None), default=None)

    def _healthy(self) -> str:
        if not any(p.shape in "✕▲" for p in self._found):
            return ""
        since = self._trouble()
        return f"last healthy {units.age(self.cockpit.clock.now() - since)} ago" if since is not None else ""

    # what is beside

    def _summary(self, cells: int, rows: int) -> Sequence[Line]:
        now, small = self.cockpit.clock.now(), narrow(cells)
        inner = cells - (0 if roomy(self.room.width) else 2)
        found = lines.layers(self.cockpit, self._against)
        drawn = lines.layer_lines(found, inner, now, small)
        if roomy(self.room.width):
            return [lines.section("Layers", cells, t(str(len(found)), "muted")), *drawn]
        pad = gap(1)
        if small:
            return [pad + lines.section("Layers", inner), *(pad + line for line in drawn)]
        # the titles of the columns are worth less than a row here
        words = t("drift: git ≠ runs", "muted")
        out = [pad + lines.section("Layers", inner, words), *(pad + line for line in drawn[1:])]
        held = list(lines.hold_lines(self.cockpit, self._against, inner, now))
        if held and len(out) + len(held) + 2 <= rows:
            out += [EMPTY, pad + lines.section("Holds", inner), *(pad + line for line in held)]
        left = rows - len(out) - 2
        if left > 1:
            out += [EMPTY, pad + lines.section("Releases", inner, t("6 shows all", "muted"))]
            out += [pad + line for line in self._releases(inner, left)]
        return out

    def _releases(self, cells: int, most: int) -> Sequence[Line]:
        known = self.cockpit.fleet.releases()[: max(0, most)]
        return list(lines.release_lines(known, len(self.cockpit.settings.hosts), cells, self.cockpit.clock.now()))

    def _beside(self, cells: int, rows: int) -> Sequence[Line]:
        now = self.cockpit.clock.now()
        out: list[Line] = []
        if machines := lines.machine_lines(self.cockpit, cells):
            out += [lines.section("Machines", cells), *machines, EMPTY]
        held = list(lines.hold_lines(self.cockpit, self._against, cells, now))
        out += [lines.section("Holds", cells, t(str(sum(1 for p in self._found if p.shape == "‖")), "muted"))]
        out += held or [t("none", "faint")]
        known = self.cockpit.fleet.releases()
        room = rows - len(out) - 2
        out += [EMPTY, lines.section("Releases", cells, t(f"{min(len(known), max(0, room))} of {len(known)}", "muted"))]
        out += self._releases(cells, room) or [t("no deploy yet: > makes the first", "faint")]
        return out

    # what changed

    def _moments(self) -> tuple[Moment, ...]:
        fleet = self.cockpit.fleet
        now, trouble = self.cockpit.clock.now(), self._trouble()
        since = trouble - BEFORE if trouble is not None and not self.opened else now - DAY * (30 if self.opened else 7)
        return moments(
            [o.latest.value for o in fleet.hosts.values() if o.latest.value is not None],
            [o.latest.value for o in fleet.services.values() if o.latest.value is not None],
            [o.latest.value for o in fleet.guests.clusters.values() if o.latest.value is not None],
            fleet.releases(),
            since,
        )

    def _changes_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        if self.opened:
            return heading(
                title("What changed", True),
                cells,
                t("newest first, 30 days   ", "muted") + t("esc", "text b") + t(" back", "muted"),
            )
        words = "Since it was last healthy" if self._trouble() is not None else "Last 7 days"
        return heading(t(words, "text b"), cells, t("w", "text b") + t(" to open", "muted"))

    def _changed(self, cells: int, rows: int) -> Sequence[Line]:
        found = self._moments()
        if not found:
            return [gap(2) + t("nothing that is seen from here", "faint")]
        shown = found if self.opened else found[:rows]
        return list(lines.moment_lines(shown, cells, self.cockpit.clock.now()))

    def open_timeline(self) -> None:
        self.opened = True
        self.changes.can_focus = True
        self.relay()
        self.changes.to_top()
        self.changes.focus()

    def close_timeline(self) -> None:
        self.opened = False
        self.problems.focus()
        self.changes.can_focus = False
        self.relay()

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.changes if self.opened else self.problems

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide, small = roomy(width), narrow(width)
        self.styles.layout = "horizontal" if wide else "vertical"
        self.rule.display = self.right.display = wide
        self.left.styles.width = "1fr"
        self.left.styles.margin = (0, 1, 0, 0) if wide else 0
        self.right.styles.margin = (0, 0, 0, 1) if wide else 0
        self.rule.styles.width = 1
        self.right.styles.width = RIGHT
        self.problems.flush = wide
        self.changes.flush = wide
        air = 1 if wide else 0
        if self.opened:
            for surface in (self.verdict, self.problems, self.summary):
                self.place(surface, 0)
            self.place(self.changes, height - air, air)
        else:
            self._stack(height, air, wide, small)
        self.place(self.beside, height - air if wide else 0, air)

    def _stack(self, height: int, air: int, wide: bool, small: bool) -> None:
        top = 1 if wide else 0
        layers = 6 if small else 7
        beside = 12 + 4 * air + top if wide else 1 if small else 2
        most = max(5, height - layers - beside)
        count = max(1, self.problems.total)
        middle = not wide and not small
        self.problems.pairs, self.problems.unfold = not middle, 2 if middle else 0
        self.problems.spread = wide and count * 3 <= most
        rows = min(count * self.problems.row_height + self.problems.unfold + 1, most)
        self.place(self.verdict, top, air if top else 0)
        self.place(self.problems, rows, air)
        rest = height - rows - 2 * air - top - (air if top else 0)
        if not wide:
            above = 1 if height - rows > layers else 0
            self.place(self.summary, height - rows - above, above)
            self.place(self.changes, 0)
            return
        self.place(self.summary, layers, air)
        self.place(self.changes, max(0, rest - layers - air), air)

    def relay(self) -> None:
        super().relay()
        if self.zoomed is not None and self.room.height:
            self.rule.display = self.right.display = False

    def shown(self, shown: bool) -> None:
        fleet = self.cockpit.fleet
        for observers in (fleet.hosts, fleet.services, fleet.guests.clusters):
            for observer in observers.values():
                observer.show(shown)
        self.cockpit.files.show(shown)
        if shown:
            self._touched = False

    def tick(self) -> None:
        self.fill()

    def _service(self, p: Problem) -> Service | None:
        engine = self.cockpit.fleet.services.get(p.host)
        found = engine.latest.value.services if engine and engine.latest.value else ()
        return next((s for s in found if key_of(s) == p.key), None)

    def context(self) -> Context:
        """A row takes the keys of its target."""
        p = self.problem
        if p is None or self.opened:
            return Context(focus=OVERVIEW, rows=0 if p is None else self.problems.count)
        facts = self.cockpit.fleet.hosts[p.host].latest.value if p.host in self.cockpit.fleet.hosts else None
        release = next((r for r in self.cockpit.fleet.releases() if r.run == p.key), None) if p.pane == "releases" else None
        guest = self.cockpit.fleet.guests.guest(p.key) if p.pane == "vms" else None
        seen = self.cockpit.fleet.guests.clusters[guest.cluster].latest.value if guest is not None else None
        service = self._service(p)
        return Context(
            focus=_FOCUS.get(p.pane, OVERVIEW), host=p.host or None, facts=facts, service=service,
            services=(service,) if service else (),
            release=release,
            guests=(guest,) if guest is not None else (), rights=seen.rights if seen is not None else None,
            rows=self.problems.count,
        )  # fmt: skip

    def target(self) -> str:
        return self.problem.what if self.problem else ""

    def copies(self) -> list[tuple[str, str]]:
        p = self.problem
        return [("problem", f"{p.what} {p.where}: {p.finding}; {p.cause}"), ("object", p.key or p.what)] if p else []

    def handlers(self) -> Handlers:
        back: Handlers = {"app.back": self.close_timeline, "app.close": self.close_timeline} if self.opened else {}
        p = self.problem
        if p is None:
            return back
        led = (*_SERVICE, "host.units", "host.journal", "guest.tasks", "guest.snapshots", "guest.config")
        return {"list.open": lambda: self.go(p), **{action: partial(self.go, p, action) for action in led}, **back}

    def go(self, p: Problem, action: str | None = None) -> None:
        visit = getattr(self.screen, "visit", None)
        if visit is not None:
            visit(p.pane, p.key, action)
