"""VMs: nodes, guests and storages of all clusters; of the selected one its summary, snapshots, tasks and configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import GUESTS, SNAPSHOTS, Context
from cockpit.domain import units
from cockpit.domain.guests import ClusterSnapshot, Guest, Node
from cockpit.domain.units import exact_time
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Line, gap, heading, join, shape, t, text_of, title, wrap
from cockpit.tui.panes import vm_detail, vm_rows
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.vm_below import SETTLE, GuestBelow
from cockpit.tui.panes.vm_list import GuestList, Row
from cockpit.tui.widgets.row_table import RowTable
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work

REST = 10.0
"""Seconds without a move after which the table may be sorted anew."""
NO_CLUSTER = (
    "No hypervisor is set up. `clusters` in cockpit.yaml names the nodes of a Proxmox VE, who signs in and where the secret is; "
    "its guests, nodes and storages then stand here."
)


class VmsPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.guests = cockpit.fleet.guests
        self.table = RowTable(GUESTS, "guest-table")
        self.list = GuestList(self.guests, cockpit.clock.now, lambda: roomy(self.room.width))
        self.below = GuestBelow(self, self.guests, self.list, cockpit.clock.now, lambda: self.row)
        self.opened = False
        """The detail alone, where there is no room for it below the table."""
        self._looking = False
        self._moved = 0.0

    def compose(self) -> ComposeResult:
        yield from (self.table, *self.below.surfaces)

    def on_mount(self) -> None:
        self.table.heading = self._heading
        self.table.empty = self._empty
        self.below.detail.clicked = self._tab_clicked
        self.below.filled = self.relay
        for observer in self.guests.clusters.values():
            observer.listen(self._heard)
        self.fill()

    # data

    def _heard(self, seen: Observation[ClusterSnapshot]) -> None:
        self.fill()
        if self.below.watched:
            self._load(0.0)

    @property
    def row(self) -> Row | None:
        return self.list.rows.get(self.table.key or "")

    @property
    def guest(self) -> Guest | None:
        return self.row if isinstance(self.row, Guest) else None

    def chosen(self) -> tuple[Guest, ...]:
        """Marked guests, else the one under the cursor."""
        if self.table.marked and self.focused is not self.below.snapshots:
            found = [self.list.rows[key] for key in self.table.marked if key in self.list.rows]
            return tuple(sorted((g for g in found if isinstance(g, Guest)), key=lambda g: g.ref))
        return (self.guest,) if self.guest else ()

    def fill(self) -> None:
        room = self.room
        if not self.is_mounted or not room.width:
            return
        wide = roomy(room.width)
        first = not self.list.rows and not self.table.waits
        self.table.columns = vm_rows.columns(wide)
        self.table.set_entries(self.list.read())
        if first and (guests := [key for key, row in self.list.rows.items() if isinstance(row, Guest)]):
            self.table.select(guests[0])
        self.below.fill()
        self.relay()

    # reading on demand

    def _load(self, settle: float) -> None:
        """Details of what the cursor is on, and addresses of what is in view."""
        self.below.load(settle)
        self._look(settle)

    def _look(self, settle: float) -> None:
        """One look at a time: a hung agent must not be begun anew with every move."""
        if self._looking:
            return
        self._looking = True

        async def ask() -> None:
            try:
                await asyncio.sleep(settle)
                rows = [self.list.rows.get(key) for key in (self.table.key or "", *self.table.in_view)]
                if await self.guests.look([row for row in rows if isinstance(row, Guest)]):
                    self.table.redraw()
                    self.below.detail.redraw()
            finally:
                self._looking = False

        work(self, ask, "addresses")

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        if event.table is self.table:
            self._moved = self.cockpit.clock.monotonic()
            self.below.detail.to_top()
            self.below.fill()
            self._load(SETTLE)
        elif event.table is self.below.tasks:
            self.below.follow(SETTLE)

    # lines

    def _heading(self, cells: int, focus: bool, typed: Line) -> Line:
        nodes, guests, storages = self.list.counts
        words = f"{units.several(nodes, 'node')} · {units.several(guests, 'guest')}"
        words += f" · {units.several(storages, 'storage')}" if not narrow(cells) else ""
        if typed:
            words = f"{self.table.count} of {self.table.total}"
        marked = t(f"{len(self.table.marked)} marked", "accent") if self.table.marked else EMPTY
        tail = gap(5) + t("worst first, then id", "muted") if roomy(cells) else EMPTY
        right = join([self._silence(), marked, t(words, "muted")], gap(3)) + tail
        return heading(title("Guests", focus) + (gap(2) + typed if typed else EMPTY), cells, right)

    def _silence(self) -> Line:
        """Clusters whose last values are shown, how old they are, and when they are asked again."""
        now, out = self.cockpit.clock.now(), []
        for name, observer in self.guests.clusters.items():
            seen = observer.latest
            if seen.value is not None and seen.stale:
                out.append(
                    shape("◌") + t(f" {name} {units.age(now - (seen.read_at or now))} old, {vm_rows.again(seen, now)}", "warn")
                )
            elif seen.value is not None and not seen.value.quorate:
                out.append(shape("✕") + t(f" {name} has no quorum", "bad"))
        return join(out, gap(2))

    def _empty(self, cells: int) -> Sequence[Line]:
        if not self.guests.clusters:
            return [EMPTY, *wrap(NO_CLUSTER, min(cells - 4, 96), "muted", 2)]
        return wrap(
            "No node and no guest is visible to the one who signs in; docs/guests.md lists the rights.", cells - 4, "muted", 2
        )

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.table

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide, small = roomy(width), narrow(width)
        self.table.pairs = self.below.snapshots.pairs = self.below.tasks.pairs = small
        for table in (self.table, self.below.snapshots, self.below.tasks):
            table.show_titles = not small
        self.table.heading = self._heading
        air = 1 if wide else 0
        self.below.detail.air = air
        alone = not self.guests.clusters
        wanted = max(1, self.table.total) + (2 if not small else 1)
        top = height - air if alone or small else min(wanted, (height - 2 * air) * (60 if wide else 54) // 100)
        if small and self.opened:
            top = 0
        self.place(self.table, top, air if top else 0)
        rest = 0 if alone or (small and not self.opened) else height - top - (2 * air if top else air)
        below = self.below
        for surface in below.surfaces:
            if surface is not below.shown:
                self.place(surface, 0)
        if below.tab == "Tasks" and rest > 6:
            wanted = max(1, below.tasks.total) * below.tasks.row_height + below.tasks.header_height
            rows = min(wanted, rest * 45 // 100)
            self.place(below.tasks, rows, air)
            self.place(below.task_log, rest - rows - air, air)
        else:
            self.place(below.shown, rest, air if rest else 0)

    def shown(self, shown: bool) -> None:
        self.below.watched = shown
        for observer in self.guests.clusters.values():
            observer.show(shown)
        if shown:
            self.list.resort()
            self.fill()
            self._load(SETTLE)
        else:
            self.workers.cancel_group(self, "log")

    def tick(self) -> None:
        latest = [observer.latest for observer in self.guests.clusters.values()]
        if any(seen.stale or seen.value is None for seen in latest):  # nothing else in it counts seconds
            self.table.redraw()
        self.below.shown.redraw()
        mine = (r for r in self.cockpit.runs.list() if not r.finished and r.committed)
        if any(run.action.startswith(("guest.", "snapshot.")) for run in mine):
            self._load(0.0)
        if self._moved and self.cockpit.clock.monotonic() - self._moved > REST:
            self._moved = 0.0
            self.list.resort()
            self.fill()

    def context(self) -> Context:
        chosen = self.chosen()
        seen = self.guests.clusters[chosen[0].cluster].latest.value if chosen else None
        on_snapshots = self.focused is self.below.snapshots
        return Context(
            focus=SNAPSHOTS if on_snapshots else GUESTS,
            guests=chosen,
            rights=seen.rights if seen else None,
            snapshot=self.below.snapshot if on_snapshots else None,
            rows=max(1, self.table.count) if self.list.rows else 0,
        )

    def target(self) -> str:
        if self.focused is self.below.snapshots and self.below.snapshot and self.guest:
            return f"{self.guest.ref} {self.below.snapshot.name}"
        chosen = self.chosen()
        return f"{len(chosen)} guests" if len(chosen) > 1 else chosen[0].ref if chosen else ""

    def address(self) -> str:
        return self.guest.ref if self.guest else ""

    def copies(self) -> list[tuple[str, str]]:
        g = self.guest
        found = self.guests.addresses(g.ref) if g else None
        out = [("guest", g.ref), ("name", g.name), ("vmid", str(g.vmid)), ("node", g.node)] if g else []
        out += [("address", ip) for ip in (found.found if found else ())]
        if self.below.snapshot is not None:
            out += [("snapshot", self.below.snapshot.name), ("taken", exact_time(self.below.snapshot.taken))]
        if self.below.log_text and (task := self.below.followed()) is not None:
            out += [("task", task.upid), ("log of the task", self.below.log_text)]
        return out

    def handlers(self) -> Handlers:
        away = self.opened or self.focused is not self.table
        back: Handlers = {"app.back": self.close, "app.close": self.close} if away else {}
        return {
            "tab.next": lambda: self.show_tab(1),
            "tab.previous": lambda: self.show_tab(-1),
            "list.open": self.open,
            "guest.tasks": lambda: self.to_tab("Tasks", True),
            "guest.snapshots": lambda: self.to_tab("Snapshots", True),
            "guest.config": lambda: self.to_tab("Config", True),
            **back,
        }

    def _tab_clicked(self, cell: int) -> None:
        words = text_of(self.below.heading(self.below.detail.size.width, True, EMPTY))
        at = cell if roomy(self.size.width) else cell - 1
        for tab in vm_detail.TABS:
            if (start := words.find(tab)) <= at < start + len(tab):
                self.to_tab(tab)

    def show_tab(self, step: int) -> None:
        tabs = vm_detail.TABS
        self.to_tab(tabs[(tabs.index(self.below.tab) + step) % len(tabs)], self.focused is not self.table)

    def to_tab(self, tab: str, enter: bool = False) -> None:
        """Shows a tab; `enter` gives it the focus."""
        self.below.tab = tab
        self.opened = self.opened or (enter and narrow(self.size.width))
        self.below.fill()
        self.relay()
        self.below.detail.to_top()
        if enter:
            self.below.shown.focus()
        self.below.follow(0.0)

    def turn_to(self, key: str) -> None:
        guest = self.guests.guest(key)
        if guest is not None:
            self.list.folded.discard(f"{guest.cluster}/node/{guest.node}")
            self.fill()
        self.table.select(key)

    def open(self) -> None:
        if self.focused is self.below.tasks:
            self.below.task_log.focus()
        elif self.focused is self.table and isinstance(self.row, Node) and not narrow(self.size.width):
            self.list.folded ^= {self.row.ref}
            self.fill()
        elif self.focused is self.table:
            self.to_tab(self.below.tab, True)

    def close(self) -> None:
        if self.focused is self.below.task_log:
            self.below.tasks.focus()
            return
        self.opened = False
        self.relay()
        self.table.focus()
