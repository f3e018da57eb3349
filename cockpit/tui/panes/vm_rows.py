"""Nodes, guests and storages as rows: pure functions from values to lines."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.guests import Addresses, ClusterSnapshot, Guest, GuestKind, Node, Storage
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Column, Line, cut, ends, fit, gap, join, meter, restyle, shape, spark, t

NEAR_LIMIT = 0.85
FULL = 0.9
"""Share of a storage from which on it is worth a look."""
SPARK = 8
_BAD_HA = ("error", "fence", "recovery")
_NOTHING = t("–", "faint")


def guest_shape(guest: Guest) -> str:
    if guest.ha in _BAD_HA:
        return "✕"
    if guest.status == "unknown":
        return "◌"
    if guest.lock and guest.lock != "suspended":
        return "◐"
    if guest.status == "paused":
        return "▲"
    return "●" if guest.running else "○"


def node_shape(node: Node) -> str:
    return "●" if node.online else "✕"


def storage_shape(storage: Storage, online: bool) -> str:
    if not storage.available:
        return "✕" if online else "◌"
    return "▲" if storage.size and storage.used / storage.size >= FULL else "●"


def shapes_of(seen: ClusterSnapshot) -> list[str]:
    """One shape per object, a shared storage once."""
    online = {n.name for n in seen.nodes if n.online}
    stores = {(s.name if s.shared else s.ref): storage_shape(s, s.node in online) for s in seen.storages}
    quorum = [] if seen.quorate else ["✕"]
    return [*quorum, *(node_shape(n) for n in seen.nodes), *(guest_shape(g) for g in seen.guests), *stores.values()]


def columns(wide: bool) -> list[Column]:
    if wide:
        return [
            Column("id", 6, "r"), Column("guest", 0), Column("type", 4), Column("state", 10), Column("cpu", 13, "r"),
            Column("", 6), Column("memory", 11, "r"), Column("disk", 10, "r"), Column("up", 4, "r"), Column("address", 16),
            Column("tags", 15), Column("agent", 5, "c"), Column("lock", 8),
        ]  # fmt: skip
    return [
        Column("id", 5, "r"), Column("guest", 0), Column("type", 4), Column("state", 10), Column("cpu", 4, "r"),
        Column("memory", 10, "r"), Column("up", 4, "r"), Column("lock", 8),
    ]  # fmt: skip


def used_of(used: int, limit: int, decimals: int = 0) -> str:
    """`14.1/16G`: the limit's unit counts for both."""
    for size, unit in ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M")):
        if limit * 2 >= size:
            few = (decimals or (1 if unit == "T" else 0)) if used < 100 * size else 0
            whole = f"{limit / size:.1f}".removesuffix(".0")
            return f"{used / size:.{few}f}/{whole}{unit}"
    return "–"


def limit_of(limit: int) -> str:
    return f"–/{used_of(0, limit).rpartition('/')[2]}" if limit else "–"


def history(shares: Sequence[float], cells: int) -> Line:
    return spark([min(9.0, share * 9) for share in shares[-cells:]]) if len(shares) > 1 else EMPTY


def _cpu(cpu: float, shares: Sequence[float], on: bool, wide: bool) -> Line:
    if not on:
        return _NOTHING
    number = t(f"{cpu * 100:.0f}%", "warn" if cpu > NEAR_LIMIT else "text" if wide else "muted")
    return history(shares, SPARK) + fit(number, 5, "r") if wide else number


def _meter(used: int, limit: int, cells: int = 6) -> Line:
    share = used / limit if limit else 0.0
    return meter(share, cells, "warn" if share > NEAR_LIMIT else "muted") if limit else EMPTY


def guest_kind(guest: Guest) -> str:
    return "tmpl" if guest.template else "vm" if guest.kind is GuestKind.QEMU else "lxc"


def guest_cells(guest: Guest, shares: Sequence[float], known: Addresses | None, wide: bool, stale: bool) -> list[Line]:
    on = guest.running
    tone = "text" if on else "muted"
    state = shape(guest_shape(guest)) + t(f" {'template' if guest.template else guest.status}", "muted")
    memory = t(used_of(guest.memory, guest.memory_limit, 1), "muted") if on else t(limit_of(guest.memory_limit), "faint")
    up = t(units.age(guest.uptime), "muted") if on and guest.uptime else _NOTHING
    lock = t(guest.lock, "busy")
    ident = t(guest.vmid, "muted")
    out = [ident, t(guest.name, tone), t(guest_kind(guest), "muted"), state]
    if not wide:
        out += [_cpu(guest.cpu, shares, on, False), memory, up, lock]
    else:
        disk = used_of(guest.disk, guest.disk_limit) if guest.disk else limit_of(guest.disk_limit)
        ip = known.found[0] if known and known.found else "–"
        out += [
            _cpu(guest.cpu, shares, on, True), _meter(guest.memory, guest.memory_limit) if on else EMPTY, memory,
            t(disk, "muted" if on else "faint"), up, t(ip, "muted" if ip != "–" else "faint"), t(" ".join(guest.tags), "faint"),
            agent_mark(known), lock,
        ]  # fmt: skip
    return _whole(out, stale)


def agent_mark(known: Addresses | None) -> Line:
    if known is None or known.agent is None:
        return _NOTHING
    return shape("●") if known.agent else shape("▲")


def node_cells(node: Node, cluster: str, shares: Sequence[float], folded: bool, wide: bool, stale: bool) -> list[Line]:
    state = shape(node_shape(node)) + t(f" {'online' if node.online else 'offline'}", "muted" if node.online else "bad")
    name = t(node.name, "text b") + (t(f" {cluster}", "faint") if cluster else EMPTY)
    on = node.online
    memory = t(used_of(node.memory, node.memory_limit, 1)) if on else _NOTHING
    up = t(units.age(node.uptime), "muted") if on else _NOTHING
    out = [t("▸" if folded else "▾", "faint"), name, t("node", "muted"), state]
    if not wide:
        return _whole([*out, _cpu(node.cpu, shares, on, False), memory, up, EMPTY], stale)
    disk = t(used_of(node.disk, node.disk_limit), "muted") if on else _NOTHING
    out += [_cpu(node.cpu, shares, on, True), _meter(node.memory, node.memory_limit), memory, disk, up, t(node.address, "muted")]
    return _whole([*out, EMPTY, EMPTY, EMPTY], stale)


def storage_cells(storage: Storage, online: bool, wide: bool, stale: bool) -> list[Line]:
    mark = storage_shape(storage, online)
    share = storage.used / storage.size if storage.size else 0.0
    words = f"{share * 100:.0f}% used" if storage.available and storage.size else ""
    state = shape(mark) + t(f" {'active' if storage.available else 'unknown'}", "muted")
    size = t(used_of(storage.used, storage.size), "text" if mark == "▲" else "muted")
    full = t(words, "warn" if mark == "▲" else "faint")
    out = [EMPTY, t(storage.name, "muted"), t(short_kind(storage.kind), "faint"), state]
    if not wide:
        percent = t(words.partition(" ")[0], "warn" if mark == "▲" else "faint")
        return _whole([*out, percent, size, EMPTY, EMPTY], stale)
    what = t("shared" if storage.shared else "", "faint")
    return _whole(
        [*out, EMPTY, _meter(storage.used, storage.size), EMPTY, size, EMPTY, full, what, EMPTY, EMPTY], stale
    )  # fmt: skip


def short_kind(kind: str) -> str:
    return {"zfspool": "zfs", "lvmthin": "lvm", "cephfs": "ceph", "btrfs": "btrf"}.get(kind, kind)[:4]


def _whole(cells: list[Line], stale: bool) -> list[Line]:
    """A silent source: the last values stay, the whole line faint."""
    if not stale:
        return cells
    state = cells[3]
    return [restyle(c, "faint") if c is not state else shape("◌") + restyle(state[1:], "faint") for c in cells]


# two lines, for narrow screens


def guest_pair(guest: Guest, known: Addresses | None, stale: bool, cells: int) -> tuple[Line, Line]:
    on = guest.running
    mark = shape("◌" if stale else guest_shape(guest))
    first = ends(
        mark + t(f" {guest.name}", "text b" if on else "muted") + t(f" {guest.vmid}", "faint"),
        _cpu(guest.cpu, (), on, False) if on else t(guest.status, "muted"),
        cells,
    )
    found = known.found[0] if known and known.found else ""
    left = join([t(guest_kind(guest), "faint"), t(guest.lock, "busy"), t(found, "muted")], gap(1))
    memory = used_of(guest.memory, guest.memory_limit, 1) if on else limit_of(guest.memory_limit)
    up = f"  {units.age(guest.uptime)}" if on and guest.uptime else ""
    second = ends(gap(2) + left, t(memory + up, "muted"), cells)
    return (restyle(first, "faint"), restyle(second, "faint")) if stale else (first, second)


def node_pair(node: Node, cluster: str, stale: bool, cells: int) -> tuple[Line, Line]:
    name = t(f" {node.name}", "text b") + t(f" node {cluster}".rstrip(), "faint")
    cpu = t(f"{node.cpu * 100:.0f}%") if node.online else t("offline", "bad")
    first = ends(shape("◌" if stale else node_shape(node)) + name, cpu, cells)
    memory = used_of(node.memory, node.memory_limit, 1) if node.online else ""
    second = ends(gap(2) + t(node.address, "muted"), t(memory, "muted"), cells)
    return (restyle(first, "faint"), restyle(second, "faint")) if stale else (first, second)


def storage_pair(storage: Storage, online: bool, stale: bool, cells: int) -> tuple[Line, Line]:
    mark = storage_shape(storage, online)
    share = f"{storage.used / storage.size * 100:.0f}%" if storage.available and storage.size else ""
    name = t(f" {storage.name}", "muted") + t(f" {short_kind(storage.kind)}", "faint")
    first = ends(shape("◌" if stale else mark) + name, t(share, "warn" if mark == "▲" else "muted"), cells)
    second = ends(gap(2) + t(storage.node, "faint"), t(used_of(storage.used, storage.size), "muted"), cells)
    return (restyle(first, "faint"), restyle(second, "faint")) if stale else (first, second)


# clusters


def silent_span(name: str, seen: Observation[ClusterSnapshot], now: float, cells: int) -> Line:
    """The row of a cluster that has never answered, or that is being read for the first time."""
    if seen.error is None:
        return gap(1) + shape("◐") + t(f" {name}", "text b") + t("  is being read for the first time", "muted")
    line = gap(1) + shape("✕") + t(f" {name}", "text b") + t(f"  {seen.error}", "muted")
    return ends(cut(line, cells - 16), t(again(seen, now), "faint"), cells)


def again(seen: Observation[ClusterSnapshot], now: float) -> str:
    return f"again in {units.left(seen.retry_at - now)}" if seen.retry_at is not None else ""


def words_of(error: CockpitError) -> str:
    return f"{error}. {error.hint}".strip()
