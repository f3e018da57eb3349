"""Overview: problems first, each with its cause and the next key; then one line per layer, and what was released."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import BY_ID, EVERYWHERE, HOSTS, RELEASES, SERVICES, Context
from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Service
from cockpit.tui.commands import tier_mark
from cockpit.tui.ink import EMPTY, TONES, Line, cut, ends, fit, gap, heading, join, pips, restyle, shape, t, title, width
from cockpit.tui.overview import host_shapes, service_shapes
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.problems import ORDER, Problem, problems
from cockpit.tui.panes.release_rows import ReleaseRow
from cockpit.tui.panes.service_rows import key_of
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work

_WORDS = {"✕": "broken", "▲": "to look at", "‖": "held", "≠": "drift", "◐": "at work", "◌": "stale"}
_FOCUS = {"hosts": HOSTS, "services": SERVICES, "releases": RELEASES}


class OverviewPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.problems = RowTable(EVERYWHERE, "problems")
        self.summary = Sheet(EVERYWHERE, "summary")
        self._found: list[Problem] = []
        self._against: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield self.problems
        yield self.summary

    def on_mount(self) -> None:
        self.problems.heading = self._heading
        self.problems.show_titles = False
        self.problems.pairs = True
        self.problems.empty = self._nothing
        self.summary.can_focus = False
        self.summary.body = self._layers
        fleet = self.cockpit.fleet
        for facts in fleet.hosts.values():
            facts.listen(lambda seen: self._heard())
        for services in fleet.services.values():
            services.listen(lambda seen: self.fill())
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
        if not self.is_mounted or not self.size.width:
            return
        self._found = problems(self.cockpit, self._against)
        self.problems.set_entries(
            [Entry(p.id, f"{p.what} {p.where} {p.finding} {p.cause}", pair=partial(self._pair, p)) for p in self._found]
        )
        self.relay()
        self.summary.redraw()

    @property
    def problem(self) -> Problem | None:
        return next((p for p in self._found if p.id == self.problems.key), None)

    # lines

    def _pair(self, p: Problem, cells: int) -> tuple[Line, Line]:
        now = self.cockpit.clock.now()
        age = t(units.age(now - p.since) if p.since is not None else "", "muted")
        if narrow(cells):
            first = ends(
                shape(p.shape, f"{TONES[p.shape]} b") + gap(1) + t(p.what, "text b") + gap(1) + t(p.where, "faint"), age, cells
            )
            second = fit(gap(2) + t(p.finding, "muted"), cells)
        else:
            keys = join(
                [t(k, "text b") + gap(1) + t(BY_ID[a].verb, "muted") + tier_mark(BY_ID[a].tier) for a, k in self._keys(p)], gap(3)
            )
            left = gap(1) + shape(p.shape, f"{TONES[p.shape]} b") + gap(1) + t(p.what, "text b") + gap(2) + t(p.where, "faint")
            first = ends(left + gap(2) + t(p.finding), age, cells)
            second = ends(cut(gap(3) + t(p.cause, "muted"), cells - width(keys) - 2), keys, cells)
        return (restyle(first, "faint"), restyle(second, "faint")) if p.shape == "◌" else (first, second)

    def _keys(self, p: Problem) -> list[tuple[str, str]]:
        return [(a, BY_ID[a].label) for a in p.actions]

    def _verdict(self) -> Line:
        shapes = [p.shape for p in self._found]
        parts = [
            shape(c, f"{TONES[c]} b") + t(f" {shapes.count(c)}", f"{TONES[c]} b") + t(f" {_WORDS[c]}", "muted")
            for c in ORDER
            if c in shapes
        ]
        return join(parts, gap(3))

    def _heading(self, cells: int, focus: bool, typed: Line) -> Line:
        name = title("Problems", focus) + (gap(2) + typed if typed else EMPTY)
        if narrow(cells):
            shapes = [p.shape for p in self._found]
            parts = [shape(c) + t(f" {shapes.count(c)}", TONES[c]) for c in ORDER if c in shapes]
            return heading(name, cells, join(parts, gap(2)))
        return heading(name, cells, self._verdict() if self._found else t("worst first", "muted"))

    def _nothing(self, cells: int) -> Sequence[Line]:
        read = [o for o in self.cockpit.fleet.hosts.values() if o.latest.value is not None]
        if not read:
            return [gap(2) + t("Reading the hosts for the first time.", "muted")]
        return [
            gap(2)
            + shape("●")
            + t(" All is well: every unit and service that is read here is healthy, and hosts run what main says.", "muted")
        ]

    def _layers(self, cells: int, rows: int) -> Sequence[Line]:
        hosts, services = host_shapes(self.cockpit), service_shapes(self.cockpit)
        inner = cells if roomy(cells) else cells - 2
        pad = gap(0 if roomy(cells) else 1)
        out = [
            pad
            + heading(
                t("Layers", "text b"), inner, t("hosts and services are read by this version", "muted") if cells > 70 else EMPTY
            )
        ]
        drift = [f"{name} {words}" for name, words in self._against.items() if words and words != "in step"]
        facts = {"Hosts": (hosts, "host", ", ".join(drift)), "Services": (services, "service", "")}
        for name, (shapes, word, off) in facts.items():
            bad = sum(1 for s in shapes if s in "✕▲")
            told = f"{units.several(len(shapes), word)}, " + (f"{bad} not well" if bad else "all well")
            apart = shape("≠") + t(f" {off}", "warn") if off else shape("✓") + t(" in step", "muted")
            if narrow(cells):
                out += [ends(gap(2) + t(name), pips(shapes) + gap(1), cells), fit(gap(2) + t(told, "muted"), cells)]
            else:
                out.append(
                    gap(2)
                    + fit(t(name), 13)
                    + fit(pips(shapes), 19)
                    + fit(t(told, "muted"), 24)
                    + (apart if name == "Hosts" else EMPTY)
                )
        if narrow(cells):
            return out
        now, count = self.cockpit.clock.now(), len(self.cockpit.settings.hosts)
        out += [EMPTY, pad + heading(t("Releases", "text b"), inner, t("6 shows all", "muted"))]
        for release in self.cockpit.fleet.releases()[: max(0, rows - len(out))]:
            where, commit_, subject, outcome = self._release(ReleaseRow(release, None, count, now))
            age = t(units.age(now - (release.ended or release.started)), "muted")
            left = gap(2) + where + gap(2) + fit(commit_, 7) + gap(2) + fit(subject, 32) + gap(2) + outcome
            out.append(ends(cut(left, inner - 8), age, inner))
        return out

    @staticmethod
    def _release(row: ReleaseRow) -> tuple[Line, Line, Line, Line]:
        cells = row.cells(wide=False)
        return fit(cells[0], 2) + gap(1) + fit(cells[1], 10), cells[2], cells[3], cells[6]

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.problems

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        air = 1 if roomy(width) else 0
        least = 5 if narrow(width) else 10
        rows = min(max(1, self.problems.total) * 2 + 1, max(5, height - least - 2 * air))
        self.place(self.problems, rows, air)
        self.place(self.summary, height - rows - 2 * air, air)

    def shown(self, shown: bool) -> None:
        for facts in self.cockpit.fleet.hosts.values():
            facts.show(shown)
        for services in self.cockpit.fleet.services.values():
            services.show(shown)

    def tick(self) -> None:
        self.fill()

    def _service(self, p: Problem) -> Service | None:
        engine = self.cockpit.fleet.services.get(p.host)
        found = engine.latest.value.services if engine and engine.latest.value else ()
        return next((s for s in found if key_of(s) == p.key), None)

    def context(self) -> Context:
        """A row takes the keys of its target."""
        p = self.problem
        if p is None:
            return Context(focus=EVERYWHERE, rows=0)
        facts = self.cockpit.fleet.hosts[p.host].latest.value if p.host in self.cockpit.fleet.hosts else None
        release = next((r for r in self.cockpit.fleet.releases() if r.run == p.key), None) if p.pane == "releases" else None
        return Context(
            focus=_FOCUS[p.pane], host=p.host, facts=facts, service=self._service(p), release=release, rows=self.problems.count
        )

    def target(self) -> str:
        return self.problem.what if self.problem else ""

    def handlers(self) -> Handlers:
        p = self.problem
        if p is None:
            return {}
        return {
            "list.open": lambda: self.go(p),
            "service.logs": lambda: self.go(p, "service.logs"),
            "host.units": lambda: self.go(p, "host.units"),
            "host.journal": lambda: self.go(p, "host.journal"),
        }

    def go(self, p: Problem, action: str | None = None) -> None:
        visit = getattr(self.screen, "visit", None)
        if visit is not None:
            visit(p.pane, p.key, action)
