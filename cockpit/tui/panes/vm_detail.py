"""The lower half of VMs: summary, snapshots, tasks, configuration, as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cockpit.domain import units
from cockpit.domain.guests import Addresses, ClusterSnapshot, Guest, GuestDetail, GuestTask, Node, Snapshot, Storage
from cockpit.tui.ink import EMPTY, Column, Line, cut, ends, fit, gap, join, meter, shape, t, wrap
from cockpit.tui.panes.vm_rows import NEAR_LIMIT, agent_mark, guest_shape, history, limit_of, used_of

TABS = ("Summary", "Snapshots", "Tasks", "Config")
LABEL = 11
FACTS = 56
"""Cells of the facts beside the tasks."""


def tabs_line(tab: str, counts: Mapping[str, int], focus: bool, roomy: bool) -> Line:
    out = []
    for name in TABS:
        here = name == tab
        spec = ("accent b" if focus else "text b") if here else "muted"
        count = counts.get(name)
        out.append(t(name, spec) + (t(f" {count}", "muted" if here else "faint") if count is not None else EMPTY))
    return join(out, gap(3 if roomy else 2)) + (t("   [ ]", "faint") if roomy else EMPTY)


def _fact(name: str, words: Line) -> Line:
    return gap(2) + fit(t(name, "faint"), LABEL) + words if words else EMPTY


def _share(used: int, limit: int, cells: int) -> Line:
    share = used / limit if limit else 0.0
    return meter(share, cells, "warn" if share > NEAR_LIMIT else "muted") + t(
        f"  {used_of(used, limit, 1)}  {share * 100:.0f}%", "muted"
    )


def guest_facts(
    guest: Guest, shares: Sequence[float], known: Addresses | None, detail: GuestDetail | None, now: float, cells: int
) -> list[Line]:
    """What a guest is and how it does; the graph is of the polls of the last minutes."""
    long = max(8, min(32, cells - LABEL - 22))
    state = shape(guest_shape(guest)) + t(f" {guest.status}")
    if guest.running and guest.uptime:
        state = state + t(f"  since {units.age(guest.uptime)}", "muted")
    if guest.lock:
        state = state + t(f"  locked: {guest.lock}", "busy")
    cpu = history(shares, long) + t(f"  {guest.cpu * 100:.0f}%", "text b") + t(f" of {guest.cores:g}", "muted")
    disk = _share(guest.disk, guest.disk_limit, long) if guest.disk else t(limit_of(guest.disk_limit)[2:], "muted")
    idle = t(limit_of(guest.memory_limit)[2:], "muted")
    out = [
        _fact("state", state),
        _fact("cpu", cpu if guest.running else t(f"{guest.cores:g} cores", "muted")),
        _fact("memory", _share(guest.memory, guest.memory_limit, long) if guest.running else idle),
        _fact("disk", disk if guest.disk_limit else EMPTY),
        _fact("address", _addresses(guest, known)),
        _fact("tags", t(" ".join(guest.tags), "muted")),
        _fact("pool", t(guest.pool, "muted")),
        _fact("ha", t(guest.ha, "muted")),
    ]  # fmt: skip
    if detail is not None:
        newest = detail.snapshots[-1] if detail.snapshots else None
        words = f"{len(detail.snapshots)}, newest {newest.name}" if newest else "none"
        age = f" {units.age(now - newest.taken)}" if newest and newest.taken else ""
        out.append(_fact("snapshots", t(words + age, "muted")))
        out.append(
            _fact("system", t(" ".join(str(detail.config.get(k, "")) for k in ("ostype", "machine", "bios")).strip(), "muted"))
        )
        out.append(_fact("at boot", t("starts" if str(detail.config.get("onboot", "0")) == "1" else "", "muted")))
        for line in str(detail.config.get("description", "")).replace("%0A", "\n").splitlines()[:3]:
            out.append(_fact("", t(line, "faint")))
    return [cut(line, cells) for line in out if line]


def _addresses(guest: Guest, known: Addresses | None) -> Line:
    if not guest.running:
        return EMPTY
    if known is None:
        return t("asking the guest", "faint")
    if known.found:
        return t("  ".join(known.found[:3]), "muted")
    return agent_mark(known) + t(" its agent does not answer" if known.agent is False else " no agent to ask", "muted")


def node_facts(node: Node, seen: ClusterSnapshot, shares: Sequence[float], cells: int) -> list[Line]:
    long = max(8, min(32, cells - LABEL - 22))
    guests = [g for g in seen.guests if g.node == node.name]
    running = sum(1 for g in guests if g.running)
    return [
        _fact("state", shape("●" if node.online else "✕") + t(" online" if node.online else " offline")
              + (t(f"  since {units.age(node.uptime)}", "muted") if node.uptime else EMPTY)),
        _fact("quorum", t("yes", "muted") if seen.quorate else shape("✕") + t(" no quorum: nothing can be changed", "bad")),
        _fact("cpu", history(shares, long) + t(f"  {node.cpu * 100:.0f}%", "text b") + t(f" of {node.cores:g}", "muted")),
        _fact("memory", _share(node.memory, node.memory_limit, long)),
        _fact("disk", _share(node.disk, node.disk_limit, long)),
        _fact("guests", t(f"{running} of {len(guests)} running", "muted")),
        _fact("address", t(node.address, "muted")),
    ]  # fmt: skip


def storage_facts(storage: Storage, cells: int) -> list[Line]:
    long = max(8, min(32, cells - LABEL - 22))
    return [
        _fact("kind", t(storage.kind + (", shared by the nodes" if storage.shared else f" of {storage.node}"), "muted")),
        _fact("used", _share(storage.used, storage.size, long)),
        _fact("free", t(units.size(storage.free), "muted")),
        _fact("holds", t(", ".join(storage.content), "muted")),
    ]


def task_columns(wide: bool) -> list[Column]:
    if wide:
        return [Column("task", 14), Column("guest", 22), Column("who", 20), Column("how it ended", 0), Column("took", 7, "r"),
                Column("age", 4, "r")]  # fmt: skip
    return [Column("task", 13), Column("guest", 6), Column("how it ended", 0), Column("age", 4, "r")]


def task_shape(task: GuestTask) -> str:
    if task.running:
        return "◐"
    return "●" if task.exit == "OK" else "▲" if task.ok else "✕"


def task_cells(task: GuestTask, name: str, now: float, wide: bool) -> list[Line]:
    kind = shape(task_shape(task)) + t(f" {task.kind}", "text" if task.running else "muted")
    end = t("runs", "busy") if task.running else t(task.exit, "muted" if task.exit == "OK" else "warn" if task.ok else "bad")
    age = t(units.age(now - task.started), "muted")
    if not wide:
        return [kind, t(task.target, "muted"), end, age]
    took = units.duration(task.ended - task.started) if task.ended else ""
    return [kind, t(f"{task.target} {name}".strip(), "muted"), t(task.user, "faint"), end, t(took, "faint"), age]


def task_pair(task: GuestTask, now: float, cells: int) -> tuple[Line, Line]:
    first = ends(shape(task_shape(task)) + t(f" {task.kind}", "text b") + t(f" {task.target}", "faint"),
                 t(units.age(now - task.started), "muted"), cells)  # fmt: skip
    return first, gap(2) + t("runs" if task.running else task.exit, "muted" if task.ok or task.running else "bad")


def log_lines(lines: Sequence[str], cells: int) -> list[Line]:
    """Lines of a task, coloured by what PVE begins them with."""
    out = []
    for line in lines:
        low = line.lower()
        bad = line.startswith(("ERROR", "TASK ERROR")) or "error:" in low
        tone = "bad" if bad else "warn" if line.startswith("WARN") else "good" if line == "TASK OK" else "muted"
        out.append(gap(2) + cut(t(line, tone), cells - 3))
    return out


def snapshot_columns(wide: bool) -> list[Column]:
    if wide:
        return [Column("snapshot", 32), Column("age", 5, "r"), Column("memory", 7), Column("after", 24), Column("what it is", 0)]
    return [Column("snapshot", 0), Column("age", 5, "r"), Column("memory", 7)]


def snapshot_cells(snapshot: Snapshot, newest: bool, now: float, wide: bool) -> list[Line]:
    age = t(units.age(now - snapshot.taken), "muted") if snapshot.taken else t("–", "faint")
    name = t(snapshot.name, "text b" if newest else "text")
    memory = t("with", "muted") if snapshot.memory else t("–", "faint")
    return (
        [name, age, memory, t(snapshot.parent or "–", "faint"), t(snapshot.description, "muted")] if wide else [name, age, memory]
    )


def snapshot_pair(snapshot: Snapshot, now: float, cells: int) -> tuple[Line, Line]:
    age = units.age(now - snapshot.taken) if snapshot.taken else "–"
    return ends(t(snapshot.name, "text b"), t(age, "muted"), cells), gap(2) + t(snapshot.description or "–", "faint")


def config_lines(config: Mapping[str, object], cells: int) -> list[Line]:
    """Key and value, long values wrapped."""
    name = min(18, max((len(key) for key in config), default=8) + 2)
    out: list[Line] = []
    for key in sorted(config):
        first, *rest = wrap(str(config[key]), max(10, cells - name - 3), "muted") or [EMPTY]
        out += [gap(2) + fit(t(key, "faint"), name) + first, *(gap(2 + name) + line for line in rest)]
    return out
