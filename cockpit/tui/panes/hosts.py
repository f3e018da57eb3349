"""Hosts: every host, its generations, and what would change between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import GENERATIONS, HOSTS, Context
from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import Badge, Generation, HostFacts
from cockpit.domain.units import exact_time
from cockpit.observe.fleet import GenerationDiff
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Line, gap, heading, t, text_of, title, wrap
from cockpit.tui.panes import host_detail
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.host_rows import (
    GenerationRow,
    HostRow,
    generation_columns,
    host_cells,
    host_columns,
    host_pair,
    host_span,
    mounts,
    number,
    previous_good,
)
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work


class HostsPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.hosts = RowTable(HOSTS, "host-table")
        self.generations = RowTable(GENERATIONS, "generation-table")
        self.detail = Sheet(GENERATIONS, "host-detail")
        self.tab = host_detail.TABS[0]
        self.opened = False
        """The detail alone, where there is no room for it beside the tables."""
        self._picked: dict[str, list[str]] = {}
        self._against: dict[str, str] = {}
        self._diffs: dict[tuple[str, str, str], GenerationDiff | CockpitError] = {}
        self._texts: dict[tuple[str, str], Sequence[Line]] = {}
        self._host: str | None = None
        self._sought = ""
        """The generation that somebody wants to see, before its host was read."""
        self._pair: tuple[str | None, str, str] = (None, "", "")
        """What is compared: another generation that runs is another A, with no key pressed."""

    def compose(self) -> ComposeResult:
        yield self.hosts
        yield self.generations
        yield self.detail

    def on_mount(self) -> None:
        self.hosts.heading = self._hosts_heading
        self.generations.heading = self._generations_heading
        self.detail.heading = self._detail_heading
        self.detail.body = self._detail_body
        self.detail.clicked = self._tab_clicked
        if not self.cockpit.fleet.hosts:
            self.hosts.empty = lambda cells: wrap("No host yet: cockpit.yaml names them under `hosts`.", cells - 4, "muted", 2)
        self.generations.empty = self._no_generations
        for name, observer in self.cockpit.fleet.hosts.items():
            observer.listen(partial(self._heard, name))
            if observer.latest.value is not None:
                self._ask_against(name)
        self.fill()

    # data

    def _heard(self, name: str, seen: Observation[HostFacts]) -> None:
        self.fill()
        self._ask_against(name)

    def _ask_against(self, name: str) -> None:
        async def ask() -> None:
            try:
                self._against[name] = await self.cockpit.fleet.against_main(name)
            except CockpitError as error:
                self._against[name] = error.what
            self.fill()

        work(self, ask, f"against {name}")

    def rows(self) -> list[HostRow]:
        now = self.cockpit.clock.now()
        return [
            HostRow(self.cockpit.settings.hosts[name], observer.latest, self._against.get(name, ""), now)
            for name, observer in self.cockpit.fleet.hosts.items()
        ]

    @property
    def host(self) -> str | None:
        return self.hosts.key

    @property
    def facts(self) -> HostFacts | None:
        return self.cockpit.fleet.hosts[self.host].latest.value if self.host else None

    @property
    def generation(self) -> Generation | None:
        return self._generation(self.generations.key)

    def _generation(self, key: str | None) -> Generation | None:
        return next((g for g in self.facts.generations if number(g) == key), None) if self.facts else None

    def ab(self) -> tuple[Generation | None, Generation | None]:
        """What is compared: the picks, else what runs with what the cursor is on."""
        picked = [g for key in self._picked.get(self.host or "", []) if (g := self._generation(key))]
        running = self.facts.running_generation if self.facts else None
        a = picked[0] if picked else running
        return a, picked[1] if len(picked) > 1 else self.generation

    def fill(self) -> None:
        if not self.is_mounted or not self.room.width:
            return
        rows = self.rows()
        wide, small = roomy(self.room.width), narrow(self.room.width)
        shown = mounts(rows)
        self.hosts.columns = host_columns(shown)
        self.hosts.set_entries(
            [
                Entry(r.settings.name, r.words, partial(host_cells, r, shown) if wide else None,
                      partial(host_pair, r) if small else None, None if wide else partial(host_span, r))
                for r in rows
            ]
        )  # fmt: skip
        self._fill_generations()
        a, b = self.ab()
        if (pair := (self.host, number(a), number(b))) != self._pair:
            self._pair = pair
            self._load()
        self.relay()

    def _fill_generations(self) -> None:
        wide = roomy(self.room.width)
        found = self.facts.generations if self.facts else ()
        sized = any(g.size is not None for g in found)
        a, b = self.ab()
        stale = bool(self.host) and self.cockpit.fleet.hosts[self.host or ""].latest.stale
        now = self.cockpit.clock.now()
        rows = [
            GenerationRow(
                g,
                found[i - 1] if i else None,
                found[i + 1] if i + 1 < len(found) else None,
                "A" if g is a else "B" if g is b else "",
                now,
                stale,
            )
            for i, g in enumerate(found)
        ]
        self.generations.columns = generation_columns(wide, sized)
        self.generations.between = 2 if wide else 1
        first = self._host != self.host
        self._host = self.host if self.facts else None
        self.generations.set_entries([Entry(r.key, r.words, partial(r.cells, wide, sized), r.pair) for r in rows])
        if first and self.facts and self._sought:
            self.generations.select(self._sought)
            self._sought = ""
        elif first and self.facts and (good := previous_good(self.facts)):
            self.generations.select(number(good))
        self.detail.redraw()

    def _no_generations(self, cells: int) -> Sequence[Line]:
        if not self.host:
            return []
        error = self.cockpit.fleet.hosts[self.host].latest.error
        why = f"{error}. {error.hint}" if error else f"Reading {self.host} for the first time."
        return wrap(why, cells - 4, "muted", 2)

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        self._fill_generations()
        self.detail.to_top()
        self._load()

    def _load(self) -> None:
        """Fetches what the open tab needs, once."""
        host, (a, b) = self.host, self.ab()
        if host is None:
            return
        fleet = self.cockpit.fleet
        if self.tab == "Diff" and a and b and a is not b and (host, number(a), number(b)) not in self._diffs:

            async def diff() -> None:
                key = (host, number(a), number(b))
                try:
                    self._diffs[key] = await fleet.diff(host, a.number, b.number)
                except CockpitError as error:
                    self._diffs[key] = error
                self.detail.redraw()

            work(self, diff, "diff")
        elif self.tab in ("Units", "Journal"):
            tab = self.tab

            async def text() -> None:
                try:
                    lines = (
                        host_detail.unit_lines(await fleet.units(host))
                        if tab == "Units"
                        else host_detail.journal_lines(await fleet.journal(host))
                    )
                except CockpitError as error:
                    lines = wrap(str(error), 100, "muted", 2)
                self._texts[host, tab] = lines
                self.detail.redraw()

            work(self, text, "text")

    # lines

    def _hosts_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        rows = self.rows()
        up = sum(1 for r in rows if r.facts and not r.seen.stale)
        return heading(
            title("Hosts", focus) + (gap(2) + typed if typed else EMPTY), cells, t(f"{up} of {len(rows)} reachable", "muted")
        )

    def _generations_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        name = title(f"Generations of {self.host}" if self.host else "Generations", focus)
        facts = self.facts
        if facts is None:
            return heading(name, cells)
        numbered = [g for g in facts.generations if g.number is not None]
        parts = [] if narrow(cells) else [f"{len(numbered)} kept"]
        good = previous_good(facts)
        parts.append(f"previous good{':' if roomy(cells) else ''} {number(good)}" if good else "no earlier good one")
        if typed:
            parts = [f"{self.generations.count} of {self.generations.total}"]
        return heading(name + (gap(2) + typed if typed else EMPTY), cells, t(" · ".join(parts), "muted"))

    def _detail_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        a, b = self.ab()
        failed = len(self.facts.failed_units) if self.facts else 0
        tabs = host_detail.tabs_line(self.tab, a, b, failed, focus, roomy(cells))
        back = self.tab == "Diff" and a and b and Badge.RUNNING in a.badges and b.number is not None and a is not b
        return heading(
            tabs,
            cells,
            t("what ", "muted") + t("b", "text b") + t(" would change", "muted") if back and not narrow(cells) else EMPTY,
        )

    def _detail_body(self, cells: int, rows: int) -> Sequence[Line]:
        host, facts, (a, b) = self.host, self.facts, self.ab()
        if host is None or facts is None:
            return []
        if self.tab == "Manifest":
            return host_detail.manifest_lines(facts)
        if self.tab != "Diff":
            return self._texts.get((host, self.tab)) or [gap(2) + t(f"Reading {self.tab.lower()} of {host}", "muted")]
        if a is None or b is None or a is b:
            return [gap(2) + t("This one is running. Move to another generation, or pick two with v.", "muted")]
        found = self._diffs.get((host, number(a), number(b)))
        if found is None:
            return [gap(2) + t(f"Comparing {number(a)} with {number(b)} on {host}", "muted")]
        if isinstance(found, CockpitError):
            return wrap(f"{found}. {found.hint}", cells - 4, "muted", 2)
        return host_detail.diff_columns(found, cells, rows) if roomy(cells) else host_detail.diff_lines(found, cells)

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.generations

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide, small = roomy(width), narrow(width)
        hosts, found = max(1, self.hosts.total), max(1, self.generations.total)
        self.hosts.pairs = self.generations.pairs = small
        self.hosts.show_titles = wide
        self.hosts.heading = self._hosts_heading if wide else None
        self.generations.show_titles = not small
        self.detail.air = 1 if wide else 0
        if small:
            top = min(hosts, 2) * 2
            self.place(self.hosts, 0 if self.opened else top)
            self.place(self.generations, 0 if self.opened else height - top)
            self.place(self.detail, height if self.opened else 0)
            return
        self.place(self.hosts, 0 if self.opened else min(hosts, 6) + (2 if wide else 0), 1 if wide else 0)
        air = 3 if wide else 0
        top = min(hosts, 6) + (2 if wide else 0)
        gens = min(found + 2, max(6, (height - top - air) * (66 if wide else 64) // 100))
        self.place(self.generations, 0 if self.opened else gens, 1 if wide else 0)
        self.place(self.detail, height if self.opened else height - top - gens - air, 1 if wide and not self.opened else 0)

    def shown(self, shown: bool) -> None:
        for observer in self.cockpit.fleet.hosts.values():
            observer.show(shown)

    def tick(self) -> None:
        for widget in (self.hosts, self.generations):
            widget.redraw()
        self.fill()

    def context(self) -> Context:
        focus = self.focused
        where = HOSTS if focus is self.hosts else GENERATIONS
        # what acts on a host is possible although nothing is known of its generations yet
        return Context(
            focus=where, host=self.host, facts=self.facts, rows=self.hosts.count,
            generation=self.generation if where == GENERATIONS else None,
            hosts=tuple(sorted(self.hosts.marked)) if where == HOSTS else (),
        )  # fmt: skip

    def target(self) -> str:
        generation = self.generations.key if self.context().focus == GENERATIONS else None
        return f"{self.host}@{generation}" if self.host and generation else self.host or ""

    address = target

    def copies(self) -> list[tuple[str, str]]:
        g = self.generation
        out = [("host", self.host), ("address", self.cockpit.settings.hosts[self.host].hostname)] if self.host else []
        if g is not None:
            out += [("generation", f"{self.host}@{number(g)}"), ("commit", g.closure.commit or ""), ("subject",
                g.closure.subject or ""),
                    ("store path", g.closure.path), ("created", exact_time(g.created))]  # fmt: skip
        return [(name, text) for name, text in out if text]

    def handlers(self) -> Handlers:
        back: Handlers = {"app.back": self.close, "app.close": self.close} if self.opened else {}
        return {
            "tab.next": lambda: self.show_tab(1),
            "tab.previous": lambda: self.show_tab(-1),
            "list.open": self.open,
            "generation.pick": self.pick,
            "generation.diff": lambda: self.to_tab("Diff", fresh=True),
            "host.units": lambda: self.to_tab("Units"),
            "host.journal": lambda: self.to_tab("Journal"),
            **back,
        }

    def _tab_clicked(self, cell: int) -> None:
        words = text_of(self._detail_heading(self.detail.size.width, True, EMPTY))
        at = cell if roomy(self.size.width) else cell - 1
        for tab in host_detail.TABS:
            if (start := words.find(tab)) <= at < start + len(tab):
                self.to_tab(tab)

    def show_tab(self, step: int) -> None:
        tabs = host_detail.TABS
        self.to_tab(tabs[(tabs.index(self.tab) + step) % len(tabs)])

    def to_tab(self, tab: str, fresh: bool = False) -> None:
        self.tab = tab
        if fresh and self.host and len(self._picked.get(self.host, [])) < 2:
            self._picked.pop(self.host, None)
            self._fill_generations()
        if narrow(self.size.width):
            self.open()
        self.detail.to_top()
        self._load()

    def pick(self) -> None:
        """The first is A, the second is B, the third begins anew."""
        key, host = self.generations.key, self.host
        if key is None or host is None:
            return
        picked = self._picked.get(host, [])
        self._picked[host] = [p for p in picked if p != key] if key in picked else [key] if len(picked) == 2 else [*picked, key]
        self._fill_generations()
        self._load()

    def turn_to(self, key: str) -> None:
        """`HOST`, or `HOST@GENERATION`."""
        host, _, self._sought = key.partition("@")
        self.hosts.select(host)
        if self._sought:
            self.generations.focus()
            if self.host == host:
                self._host = None
                self._fill_generations()

    def open(self) -> None:
        if self.focused is self.hosts:
            self.generations.focus()
        else:
            self.opened = narrow(self.size.width)
            self.relay()
            self.detail.focus()
        self._load()

    def close(self) -> None:
        self.opened = False
        self.relay()
        self.generations.focus()
