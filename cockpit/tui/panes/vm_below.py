"""The lower half of VMs: of the selected one its summary, snapshots, tasks with a live log, and configuration."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from textual.widget import Widget

from cockpit.actions.catalog import GUESTS, SNAPSHOTS
from cockpit.domain.errors import CockpitError
from cockpit.domain.guests import Guest, GuestDetail, GuestTask, Node, Snapshot, Storage
from cockpit.observe.guests import Guests
from cockpit.tui.ink import EMPTY, Line, fit, gap, heading, shape, t, title, wrap
from cockpit.tui.panes import vm_detail, vm_rows
from cockpit.tui.panes.vm_list import GuestList, Row
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Surface, narrow, roomy
from cockpit.tui.work import work

SETTLE = 0.2
"""The cursor rests this long before anything is asked about what it is on."""
DETAILS = 32
"""Guests whose details are remembered."""
LIVE = 1.0
"""Seconds between two looks at the log of a running task."""


class GuestBelow:
    """Four surfaces of a pane, of which the open tab shows one or two; and what is read for them while somebody looks."""

    def __init__(
        self, pane: Widget, guests: Guests, rows: GuestList, now: Callable[[], float], row: Callable[[], Row | None]
    ) -> None:
        self._pane = pane
        self._guests = guests
        self._list = rows
        self._now = now
        self._row = row
        self.tab = vm_detail.TABS[0]
        self.watched = False
        self.detail = Sheet(GUESTS, "guest-detail")
        self.snapshots = RowTable(SNAPSHOTS, "snapshot-table")
        self.tasks = RowTable(GUESTS, "task-table")
        self.task_log = Sheet(GUESTS, "task-log")
        for surface in (self.detail, self.snapshots, self.tasks):
            surface.heading = self.heading
        self.detail.body = self._detail_body
        self.snapshots.empty = self._no_snapshots
        self.tasks.empty = self._no_tasks
        self.task_log.heading = self._log_heading
        self.task_log.body = self._log_body
        self.filled: Callable[[], None] = lambda: None
        """Called when there is more or less to show than before."""
        self._details: OrderedDict[str, GuestDetail | CockpitError] = OrderedDict()
        self._log: tuple[str, tuple[str, ...]] = ("", ())
        """(UPID, lines) of the task that is followed."""

    @property
    def row(self) -> Row | None:
        return self._row()

    @property
    def guest(self) -> Guest | None:
        return self.row if isinstance(self.row, Guest) else None

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        return self.detail, self.snapshots, self.tasks, self.task_log

    @property
    def log_text(self) -> str:
        return "\n".join(self._log[1])

    @property
    def known(self) -> GuestDetail | None:
        """Details of the selected guest, as far as they are read."""
        found = self._details.get(self.guest.ref) if self.guest else None
        return found if isinstance(found, GuestDetail) else None

    @property
    def snapshot(self) -> Snapshot | None:
        return next((s for s in self.known.snapshots if s.name == self.snapshots.key), None) if self.known else None

    @property
    def shown(self) -> RowTable | Sheet:
        """What the open tab shows first."""
        return {"Snapshots": self.snapshots, "Tasks": self.tasks}.get(self.tab, self.detail)

    def recent(self) -> list[GuestTask]:
        """Tasks that run in the cluster, then those of the selected one."""
        row = self.row
        seen = self._list.seen(row).value if row is not None else None
        if row is None or seen is None:
            return []
        mine = list(self.known.tasks) if self.known else []
        if isinstance(row, Node):
            mine = [task for task in seen.tasks if task.node == row.name]
        done = {task.upid for task in mine}
        running = [task for task in seen.tasks if task.running and task.upid not in done]
        return sorted([*running, *mine], key=lambda task: not task.running)[:100]

    def followed(self) -> GuestTask | None:
        """The task whose log shows."""
        tasks = self.recent()
        if self.tab == "Tasks":
            return next((task for task in tasks if task.upid == self.tasks.key), None)
        own = [task for task in tasks if self.guest is None or task.target == str(self.guest.vmid)]
        return next(iter(own), None) or next((task for task in tasks if task.running), None)

    def fill(self) -> None:
        wide, now = roomy(self._pane.size.width), self._now()
        found = list(reversed(self.known.snapshots)) if self.known else []
        self.snapshots.columns = vm_detail.snapshot_columns(wide)
        self.snapshots.set_entries(
            [
                Entry(s.name, f"{s.name} {s.description}", partial(vm_detail.snapshot_cells, s, i == 0, now, wide),
                      partial(vm_detail.snapshot_pair, s, now))
                for i, s in enumerate(found)
            ]
        )  # fmt: skip
        self.tasks.columns = vm_detail.task_columns(wide)
        self.tasks.set_entries(
            [
                Entry(task.upid, f"{task.kind} {task.target} {task.user} {task.exit}",
                      partial(vm_detail.task_cells, task, self._name_of(task), now, wide),
                      partial(vm_detail.task_pair, task, now))
                for task in self.recent()
            ]
        )  # fmt: skip
        self.detail.redraw()
        self.task_log.redraw()

    def _name_of(self, task: GuestTask) -> str:
        guest = self._guests.guest(f"{task.cluster}/{task.target}")
        return guest.name if guest else ""

    # reading on demand

    def load(self, settle: float) -> None:
        """Details of the selected guest, then the log of its newest task."""
        guest = self.guest
        if guest is None:
            return

        async def read() -> None:
            await asyncio.sleep(settle)
            try:
                found: GuestDetail | CockpitError = await self._guests.detail(guest)
            except CockpitError as error:
                found = error
            self._details[guest.ref] = found
            self._details.move_to_end(guest.ref)
            while len(self._details) > DETAILS:
                self._details.popitem(last=False)
            self.fill()
            self.filled()
            self.follow(0.0)

        work(self._pane, read, "detail")

    def follow(self, settle: float) -> None:
        """The log of one task, for as long as it runs and somebody looks."""
        task = self.followed()
        if task is None or not self.watched or (task.upid == self._log[0] and not task.running):
            return

        async def follow() -> None:
            await asyncio.sleep(settle)
            lines = self._log[1] if self._log[0] == task.upid else ()
            running = True
            while running:
                try:
                    lines, running = await self._guests.log(task.cluster, task.upid, lines)
                except CockpitError as error:
                    self._log = task.upid, (*lines, f"{error}")
                else:
                    self._log = task.upid, lines
                self.task_log.redraw()
                self.detail.redraw()
                await asyncio.sleep(LIVE)
            self.load(0.0)

        work(self._pane, follow, "log")

    # lines

    def heading(self, cells: int, focus: bool, typed: Line) -> Line:
        counts = {"Snapshots": len(self.known.snapshots)} if self.known else {}
        counts["Tasks"] = len(self.recent())
        left = vm_detail.tabs_line(self.tab, counts, focus, roomy(cells))
        row = self.row
        name = "" if row is None else row.label if isinstance(row, Guest) else row.name
        return heading(left + (gap(2) + typed if typed else EMPTY), cells, t(name, "muted") if not narrow(cells) else EMPTY)

    def _detail_body(self, cells: int, rows: int) -> Sequence[Line]:
        row, now = self.row, self._now()
        if row is None:
            return []
        failed = self._details.get(row.ref)
        trouble = wrap(vm_rows.words_of(failed), cells - 4, "warn", 2) if isinstance(failed, CockpitError) else []
        if self.tab == "Config":
            return trouble or (vm_detail.config_lines(self.known.config, cells) if self.known else self._waiting("configuration"))
        stale = self._list.seen(row)
        if stale.stale and stale.error is not None:
            trouble = [*wrap(vm_rows.words_of(stale.error), cells - 4, "warn", 2), *trouble]
        beside = roomy(cells) and not isinstance(row, Storage)
        room = vm_detail.FACTS if beside else cells
        shares = self._guests.cpu(row.ref)
        if isinstance(row, Guest):
            facts = vm_detail.guest_facts(row, shares, self._guests.addresses(row.ref), self.known, now, room)
        elif isinstance(row, Node):
            facts = vm_detail.node_facts(row, stale.value, shares, room) if stale.value else []
        else:
            facts = vm_detail.storage_facts(row, room)
        facts = [*trouble, *facts]
        if not beside:
            return facts
        right = self._beside(cells - room - 3, rows)
        return [
            fit(facts[i] if i < len(facts) else EMPTY, room) + t("│", "line") + gap(1) + (right[i] if i < len(right) else EMPTY)
            for i in range(max(len(facts), rows))
        ]

    def _beside(self, cells: int, rows: int) -> list[Line]:
        """Recent tasks, and the end of the log of the newest one."""
        tasks, now = self.recent(), self._now()
        if not tasks:
            return [gap(1) + t("No task in the last days.", "muted")]
        out = []
        for task in tasks[: max(3, min(6, rows // 3))]:
            kind, who, end, age = vm_detail.task_cells(task, "", now, False)
            out.append(gap(1) + fit(kind, 14) + gap(1) + fit(who, 6) + gap(1) + fit(end, cells - 29) + gap(1) + fit(age, 4, "r"))
        room = rows - len(out) - 2
        if room > 1 and self.followed() is not None:
            out += [EMPTY, gap(1) + self._log_heading(cells - 2, False, EMPTY), *self._log_body(cells, room)]
        return out

    def _log_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        task = self.followed()
        if task is None:
            return heading(title("Log", focus), cells)
        name = title(f"{task.kind} {task.target} {self._name_of(task)}".strip(), focus)
        how = t(f"live from {task.node}", "busy") if task.running else t(task.exit, "muted" if task.ok else "bad")
        return heading(shape(vm_detail.task_shape(task)) + gap(1) + name, cells, how)

    def _log_body(self, cells: int, rows: int) -> list[Line]:
        task = self.followed()
        if task is None:
            return []
        if self._log[0] != task.upid:
            return self._waiting("log")
        lines = self._log[1] if not task.running and self.tab == "Tasks" else self._log[1][-rows:]
        return vm_detail.log_lines(lines, cells)

    def _waiting(self, what: str) -> list[Line]:
        name = self.guest.label if self.guest else ""
        return [gap(2) + t(f"Reading the {what} of {name}" if name else f"Only guests have a {what}.", "muted")]

    def _no_snapshots(self, cells: int) -> Sequence[Line]:
        if self.guest is None or self.known is None:
            return self._waiting("snapshots")
        return [gap(2) + t("No snapshot yet: ", "muted") + t("T", "text b") + t(" takes one.", "muted")]

    def _no_tasks(self, cells: int) -> Sequence[Line]:
        return [gap(2) + t("No task in the last days.", "muted")]
