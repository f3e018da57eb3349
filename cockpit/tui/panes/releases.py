"""Releases: every deploy and rollback, and the one that runs, live."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import RELEASES, Context
from cockpit.actions.run import Run
from cockpit.domain import units
from cockpit.domain.hosts import AttemptKind, Result
from cockpit.domain.releases import Release
from cockpit.domain.units import exact_time
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, heading, join, meter, shape, t, title, width, wrap
from cockpit.tui.panes import release_live as live
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.host_rows import commit
from cockpit.tui.panes.progress import RunProgress, follow, recorded
from cockpit.tui.panes.release_rows import ReleaseRow, outcome, release_columns
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work

RIGHT = 47
"""Cells of the column with output and fallback."""


class ReleasesPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.releases = RowTable(RELEASES, "release-table")
        self.detail = Sheet(RELEASES, "release-detail")
        self.opened = False
        self._rows: list[ReleaseRow] | None = None
        self._followed: set[int] = set()

    def compose(self) -> ComposeResult:
        yield self.releases
        yield self.detail

    def on_mount(self) -> None:
        self.releases.heading = self._heading
        self.releases.empty = lambda cells: wrap(
            "Nothing was ever deployed from here, and no host has a record. > deploys this commit."
            if self._rows is not None
            else "",
            cells - 4,
            "muted",
            2,
        )
        self.detail.heading = self._detail_heading
        self.detail.body = self._body
        self.cockpit.runs.listeners.append(self._began)
        for run in self.cockpit.runs.list():
            self._began(run)
        for observer in self.cockpit.fleet.hosts.values():
            observer.listen(lambda seen: self.fill())
        self.fill()

    # data

    def _began(self, run: Run) -> None:
        """Follows a run from its first event: pane 6 shows it whoever started it here."""
        if id(run) in self._followed:
            return
        self._followed.add(id(run))

        async def watch() -> None:
            async for _ in run.events():
                if not self._due and self.is_mounted:
                    self._due = True
                    self.set_timer(1 / 20, self._flush)
            self.fill()

        work(self, watch, f"run {id(run)}")

    _due = False

    def _flush(self) -> None:
        self._due = False
        self.fill()

    def turn_to(self, run_id: str) -> None:
        """Shows this run; the first characters of its id are enough."""
        self.fill()
        full = (r.key for r in self._rows or () if r.key.startswith(run_id))
        self.releases.select(next(full, run_id))

    def _find(self) -> list[ReleaseRow]:
        now, hosts = self.cockpit.clock.now(), len(self.cockpit.settings.hosts)
        runs = {run.id: run for run in self.cockpit.runs.list() if run.action != "host.resume"}
        known = self.cockpit.fleet.releases()
        seen = {r.run for r in known}
        # a plan that was looked at and not applied is no release
        fresh = [
            run for run in runs.values() if run.id not in seen and (run.committed or not run.finished) and run.plan is not None
        ]
        return [ReleaseRow(None, run, hosts, now, self.cockpit.who) for run in reversed(fresh)] + [
            ReleaseRow(r, runs.get(r.run), hosts, now) for r in known
        ]

    def fill(self) -> None:
        if not self.is_mounted or not self.room.width:
            return
        wide, small = roomy(self.room.width), narrow(self.room.width)
        self._rows = self._find()
        self.releases.columns = release_columns(wide)
        self.releases.between = 2 if wide else 1
        self.releases.set_entries([Entry(r.key, r.words, partial(r.cells, wide), r.pair if small else None) for r in self._rows])
        wanted = self.releases.wanted
        if wanted and (full := next((r.key for r in self._rows if r.key.startswith(wanted)), "")):
            self.releases.select(full)
        self.relay()
        self.detail.redraw()

    @property
    def row(self) -> ReleaseRow | None:
        key = self.releases.key
        return next((r for r in self._rows or () if r.key == key), None)

    @property
    def release(self) -> Release | None:
        return self.row.release if self.row else None

    def model(self, row: ReleaseRow) -> RunProgress:
        if row.run is not None and row.run.log:
            return follow(row.run.log, row.hosts)
        return recorded(row.release.attempts if row.release else (), self.cockpit.clock.now())

    # lines

    def _heading(self, cells: int, focus: bool, typed: Line) -> Line:
        count = f"{self.releases.count} of {self.releases.total}" if typed else units.several(self.releases.total, "run")
        silent = [n for n, o in self.cockpit.fleet.hosts.items() if o.latest.stale]
        tail = f" · {', '.join(silent)} not asked" if silent else "" if narrow(cells) else " · all hosts, all people"
        return heading(title("Releases", focus) + (gap(2) + typed if typed else EMPTY), cells, t(count + tail, "muted"))

    def _detail_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        row = self.row
        if row is None:
            return heading(title("Run", focus), cells)
        mark = row.shapes[0]
        name = shape(mark, "busy b" if mark == "◐" else None) + t(
            f" {row.key}", "busy b" if mark == "◐" else "accent b" if focus else "text b"
        )
        left = name + gap(2) + t(f"{commit(row.commit)} {row.subject}", "text b" if row.live else "text")
        if not row.live:
            return heading(left, cells, t("", "muted"))
        done, total = live.done_share(self.model(row))
        return heading(left, cells, t(f"{done} of {total} steps"), done / total)

    def _body(self, cells: int, rows: int) -> Sequence[Line]:
        row = self.row
        if row is None:
            return []
        if row.run is None or not row.run.log:
            return self._written(row, cells)
        now = self.cockpit.clock.now()
        model, run = self.model(row), row.run
        if not roomy(cells):
            out = live.compact_lines(model, now, cells)
            out += (
                [EMPTY, *(gap(1) + line for line in live.fallback_lines(model, run.plan, run.id, now, cells - 3))]
                if row.live
                else []
            )
            return [*out, EMPTY, *(gap(1) + line for line in live.output_lines(model.output, run.dropped, now, cells - 2, 12))]
        left_cells = cells - RIGHT - 3
        left = [EMPTY, *live.steps_lines(model, now, left_cells)]
        if run.plan is not None:
            left += [EMPTY, *live.change_lines(run.plan, left_cells)]
        right = self._right(run, model, now, rows)
        out = []
        for i in range(max(rows, len(left), len(right))):
            a = left[i] if i < len(left) else EMPTY
            b = right[i] if i < len(right) else EMPTY
            out.append(join([fit(a, left_cells), t("│", "line"), b or gap(1)], gap(1)))
        return out

    def _right(self, run: Run, model: RunProgress, now: float, rows: int) -> list[Line]:
        last = model.output[-1] if model.output else None
        where = f"{last.host}, {last.step}" if last else ""
        tail: list[Line] = []
        if not run.finished:
            tail = [
                EMPTY,
                EMPTY,
                heading(t("If anything goes wrong", "text b"), RIGHT),
                EMPTY,
                *live.fallback_lines(model, run.plan, run.id, now, RIGHT),
            ]
        room = max(4, rows - len(tail) - 3)
        shown = live.output_lines(model.output, run.dropped, now, RIGHT, min(room, 14))
        out = [EMPTY, heading(t("Output", "text b"), RIGHT, t(where, "muted")), EMPTY, *shown, *tail]
        for host in model.hosts.values():
            if host.failed is not None:
                out += [
                    EMPTY,
                    shape("✕") + t(f" {host.host}: {host.failed.what}", "text b"),
                    *wrap(host.failed.hint, RIGHT - 2, "muted", 2),
                ]
        return out

    def _written(self, row: ReleaseRow, cells: int) -> list[Line]:
        """What the hosts wrote down."""
        release = row.release
        if release is None:
            return []
        out: list[Line] = [EMPTY]
        for a in release.attempts:
            to = a.generation if a.generation is not None else a.old_generation
            head = (
                shape("●" if a.result is Result.DONE else "◐" if a.result is Result.OPEN else "✕")
                + gap(1)
                + fit(t(a.host, "text b"), 12)
            )
            out.append(gap(1) + head + t(f"{a.old_generation or '–'} → {to or '–'}", "text") + gap(3) + t(outcome(a), "muted"))
            if a.result is Result.OPEN:
                words = f"started by {a.who} on {a.origin}; nobody here watches it: a attaches, and recovers where nobody does"
                out += wrap(words, cells - 6, "muted", 3)
            if a.timings:
                longest = max(s for _, s in a.timings) or 1.0
                for phase, seconds in a.timings:
                    bar = meter(seconds / longest, 20)
                    out.append(
                        gap(3) + fit(t(phase, "muted"), 10) + fit(t(units.duration(seconds), "text"), 8, "r") + gap(2) + bar
                    )
            if a.hold is not None:
                held = ", ".join(commit(c) for c in a.hold.abandoned)
                out.append(gap(3) + shape("‖") + t(f" holds back {held}: {a.hold.why or 'rolled back'}", "muted"))
            out.append(EMPTY)
        for host, why in release.failures:
            out += [gap(1) + shape("✕") + gap(1) + fit(t(host, "text b"), 12) + t(why, "muted"), EMPTY]
        kind = "rollback" if release.kind is AttemptKind.ROLLBACK else release.kind.value
        line = t(f"{kind} by {release.who}", "muted")
        out.append(
            gap(1)
            + (ends(line, t(release.origin, "faint"), cells - 2) if width(line) + len(release.origin) + 4 < cells else line)
        )
        return out

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.releases

    def on_row_table_moved(self) -> None:
        self.detail.to_top()

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide, small = roomy(width), narrow(width)
        self.releases.pairs = small
        self.releases.show_titles = not small
        if small or self.opened:
            self.place(self.releases, 0 if self.opened else height)
            self.place(self.detail, height if self.opened else 0)
            return
        air = 1 if wide else 0
        count = max(1, self.releases.total) + 2
        busy = self.row is not None and self.row.live
        most = 17 if wide and busy else (height - 2 * air) * 62 // 100 if not busy else (height - air) * 40 // 100
        rows = max(4, min(count, most))
        self.place(self.releases, rows, air)
        self.place(self.detail, height - rows - 2 * air, air)

    def shown(self, shown: bool) -> None:
        for observer in self.cockpit.fleet.hosts.values():
            observer.show(shown)
        if shown:
            self.fill()

    def tick(self) -> None:
        self.fill()

    def context(self) -> Context:
        row, release = self.row, self.release
        facts = None
        host = row.hosts[0] if row and row.hosts else None
        held = next((n for n in (row.hosts if row else ()) if n in self.cockpit.fleet.hosts
                     and (f := self.cockpit.fleet.hosts[n].latest.value) and f.hold), None)  # fmt: skip
        host = held or host
        if host in self.cockpit.fleet.hosts and host is not None:
            facts = self.cockpit.fleet.hosts[host].latest.value
        return Context(focus=RELEASES, host=host, facts=facts, release=release, rows=max(1, self.releases.count))

    def target(self) -> str:
        return self.row.key if self.row else ""

    def address(self) -> str:
        return f"releases/{self.row.key}" if self.row else ""

    def copies(self) -> list[tuple[str, str]]:
        row, release = self.row, self.release
        out = [("run", row.key), ("commit", row.commit or ""), ("attach", f"cockpit attach {row.key}")] if row else []
        if release is not None:
            out += [("origin", release.origin), ("started", exact_time(release.started))]
        return [(name, text) for name, text in out if text]

    def handlers(self) -> Handlers:
        back: Handlers = {"app.back": self.close, "app.close": self.close} if self.opened else {}
        return {"list.open": self.open, **back}

    def open(self) -> None:
        self.opened = not roomy(self.size.width)
        self.relay()
        self.detail.focus()

    def close(self) -> None:
        self.opened = False
        self.relay()
        self.releases.focus()
