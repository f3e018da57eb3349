"""The rows of VMs: nodes with their guests and storages, in an order that stays until it is asked for anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cockpit.domain.guests import ClusterSnapshot, Guest, Node, Storage
from cockpit.observe.guests import Guests
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Line
from cockpit.tui.panes import vm_rows
from cockpit.tui.widgets.row_table import Entry

Row = Guest | Node | Storage


class GuestList:
    """Entries are made anew only where their words changed: with thousands of guests a poll costs milliseconds."""

    def __init__(self, guests: Guests, now: Callable[[], float], wide: Callable[[], bool]) -> None:
        self._guests = guests
        self._now = now
        self._wide = wide
        self.folded: set[str] = set()
        self.rows: dict[str, Row] = {}
        self.counts = (0, 0, 0)
        """Nodes, guests, storages."""
        self._entries: dict[str, Entry] = {}
        self._first: set[str] | None = None
        """What was broken when it was sorted last, and so stands first."""

    def resort(self) -> None:
        self._first = None

    def seen(self, row: Row) -> Observation[ClusterSnapshot]:
        return self._guests.clusters[row.cluster].latest

    def read(self) -> list[Entry]:
        """Entries as the clusters are now."""
        found = [(name, observer.latest) for name, observer in self._guests.clusters.items()]
        if self._first is None and any(seen.value for _, seen in found):
            self._first = {ref for _, seen in found if seen.value is not None for ref in _broken(seen.value)}
        entries, self._entries, self.rows, out = self._entries, {}, {}, []
        nodes = guests = storages = 0
        for name, seen in found:
            if seen.value is None:
                out.append(self._silent(name, seen))
                continue
            nodes, guests = nodes + len(seen.value.nodes), guests + len(seen.value.guests)
            storages += len({s.name if s.shared else s.ref for s in seen.value.storages})
            self._of(seen.value, entries, out)
        self.counts = (nodes, guests, storages)
        return out

    def _of(self, seen: ClusterSnapshot, known: dict[str, Entry], out: list[Entry]) -> None:
        first = self._first or set()
        by_node: dict[str, list[Guest]] = {}
        for guest in seen.guests:
            by_node.setdefault(guest.node, []).append(guest)
        stores: dict[str, list[Storage]] = {}
        shared: set[str] = set()
        for storage in seen.storages:
            if storage.name not in shared:
                stores.setdefault(storage.node, []).append(storage)
            if storage.shared:
                shared.add(storage.name)
        broken = {n.name for n in seen.nodes if n.ref in first} | {g.node for g in seen.guests if g.ref in first}
        for node in sorted(seen.nodes, key=lambda n: (n.name not in broken, n.name)):
            out.append(self._entry(known, node, f"{node.name} node {seen.cluster}"))
            if node.ref in self.folded:
                continue
            mine = by_node.get(node.name, [])
            if first:
                mine = sorted(mine, key=lambda g: (g.ref not in first, g.vmid))
            for g in mine:
                words = f"{g.vmid} {g.name} {g.status} {vm_rows.guest_kind(g)} {g.node} {g.lock} {' '.join(g.tags)} {g.cluster}"
                out.append(self._entry(known, g, words))
            for s in stores.get(node.name, []):
                out.append(self._entry(known, s, f"{s.name} {s.kind} storage {s.node} {seen.cluster}"))

    def _entry(self, known: dict[str, Entry], row: Row, words: str) -> Entry:
        key = row.ref
        self.rows[key] = row
        entry = known.get(key)
        if entry is None or entry.text != words:
            entry = Entry(key, words, partial(self._cells, key), partial(self._pair, key), group=isinstance(row, Node))
        self._entries[key] = entry
        return entry

    def _silent(self, name: str, seen: Observation[ClusterSnapshot]) -> Entry:
        def span(cells: int) -> Line:
            return vm_rows.silent_span(name, seen, self._now(), cells)

        return Entry(f"{name}/", name, None, lambda cells: (span(cells), EMPTY), span)

    def _online(self, storage: Storage) -> bool:
        seen = self.seen(storage).value
        return seen is None or any(n.name == storage.node and n.online for n in seen.nodes)

    def _cells(self, key: str) -> list[Line]:
        row, wide = self.rows[key], self._wide()
        stale = self.seen(row).stale
        if isinstance(row, Guest):
            return vm_rows.guest_cells(row, self._guests.cpu(key), self._guests.addresses(key), wide, stale)
        if isinstance(row, Node):
            name = row.cluster if len(self._guests.clusters) > 1 else ""
            return vm_rows.node_cells(row, name, self._guests.cpu(key), key in self.folded, wide, stale)
        return vm_rows.storage_cells(row, self._online(row), wide, stale)

    def _pair(self, key: str, cells: int) -> tuple[Line, Line]:
        row = self.rows[key]
        stale = self.seen(row).stale
        if isinstance(row, Guest):
            return vm_rows.guest_pair(row, self._guests.addresses(key), stale, cells)
        if isinstance(row, Node):
            return vm_rows.node_pair(row, row.cluster if len(self._guests.clusters) > 1 else "", stale, cells)
        return vm_rows.storage_pair(row, self._online(row), stale, cells)


def _broken(seen: ClusterSnapshot) -> set[str]:
    """What stands first, because it needs a person."""
    return {n.ref for n in seen.nodes if not n.online} | {g.ref for g in seen.guests if vm_rows.guest_shape(g) in "✕▲"}
