"""What Overview says beside its problems: layers, machines, holds, releases, what changed. Pure functions, values to lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from cockpit.actions.bundle import Cockpit
from cockpit.domain import units
from cockpit.domain.files import Encryption
from cockpit.domain.guests import ClusterSnapshot
from cockpit.domain.hosts import HostFacts
from cockpit.domain.releases import Release
from cockpit.observe.observation import Observation
from cockpit.observe.timeline import Moment
from cockpit.tui.ink import EMPTY, TONES, Line, cut, ends, fit, gap, heading, join, meter, pips, shape, spark, t, wrap
from cockpit.tui.overview import guest_shapes, host_shapes, service_shapes
from cockpit.tui.panes.release_rows import ReleaseRow
from cockpit.tui.panes.vm_rows import FULL, NEAR_LIMIT, used_of

SPARK = 12
MACHINES, STORAGES = 8, 6
IN_STEP = shape("✓") + t(" in step", "muted")
NOT_COMPARED = t("–", "faint")


class Layer(Struct, frozen=True):
    name: str
    shapes: Sequence[str]
    health: str
    drift: Line
    seen: float | None
    """When the oldest of its sources was read."""
    stale: bool = False
    hint: str = ""
    """Which setting would fill it, where there is nothing."""


def layers(cockpit: Cockpit, against: dict[str, str]) -> list[Layer]:
    return [_vms(cockpit), _hosts(cockpit, against), _services(cockpit), _secrets(cockpit), _code(cockpit)]


def _vms(cockpit: Cockpit) -> Layer:
    clusters = cockpit.fleet.guests.clusters
    if not clusters:
        return Layer("VMs", (), "", NOT_COMPARED, None, hint="clusters: in cockpit.yaml")
    guests = [g for o in clusters.values() if o.latest.value for g in o.latest.value.guests if not g.template]
    running = sum(1 for g in guests if g.running)
    odd = guest_shapes(cockpit)
    shapes = [*odd, *("●" for g in guests if g.running), *("○" for g in guests if not g.running)]
    off = f", {len(guests) - running} off" if len(guests) > running else ""
    seen, stale = _age([o.latest for o in clusters.values()])
    return Layer("VMs", shapes, f"{running} running{off}", NOT_COMPARED, seen, stale)


def _hosts(cockpit: Cockpit, against: dict[str, str]) -> Layer:
    found = [o.latest for o in cockpit.fleet.hosts.values()]
    if not found:
        return Layer("Hosts", (), "", NOT_COMPARED, None, hint="hosts: in cockpit.yaml")
    up = sum(1 for o in found if o.value is not None and not o.stale)
    failed = sum(len(o.value.failed_units) for o in found if o.value is not None)
    shapes = host_shapes(cockpit)
    ill = sum(1 for s in shapes if s in "✕▲")
    words = f"{up} of {len(found)} hosts up" if up < len(found) else units.several(up, "host")
    words += (
        f", {units.several(failed, 'unit')} failed"
        if failed
        else f", {ill} not well"
        if ill
        else ", all well"
        if up == len(found)
        else ""
    )
    apart = _grouped({name: what for name, what in against.items() if what and what != "in step"})
    drift = shape("≠") + t(f" {', '.join(apart)}", "warn") if apart else IN_STEP if up else NOT_COMPARED
    seen, stale = _age(found)
    return Layer("Hosts", shapes, words, drift, seen, stale)


def _grouped(against: dict[str, str]) -> list[str]:
    """`2 hosts 1 behind main`: what several have in common is said once."""
    by_words: dict[str, list[str]] = {}
    for name, what in against.items():
        by_words.setdefault(what, []).append(name)
    return [f"{names[0] if len(names) == 1 else f'{len(names)} hosts'} {what}" for what, names in by_words.items()]


def _services(cockpit: Cockpit) -> Layer:
    found = [o.latest for o in cockpit.fleet.services.values()]
    shapes = service_shapes(cockpit)
    bad = sum(1 for s in shapes if s in "✕▲")
    off = [f"{name}/{service}" for name, o in cockpit.fleet.hosts.items() if o.latest.value for service in o.latest.value.stopped]
    drift = shape("≠") + t(f" {', '.join(off)}", "warn") if off else IN_STEP if shapes else NOT_COMPARED
    seen, stale = _age(found)
    words = units.several(len(shapes), "service") + (f", {bad} not well" if bad else ", all well") if shapes else "none run"
    return Layer("Services", shapes, words, drift, seen, stale)


def _secrets(cockpit: Cockpit) -> Layer:
    latest = cockpit.files.observer.latest
    if latest.value is None:
        return Layer("Secrets", (), "not read yet", NOT_COMPARED, None)
    kept = [f for f in latest.value.files if f.encryption is not Encryption.NONE]
    plain = [f for f in kept if f.encryption is Encryption.EXPOSED]
    words = f"{units.several(len(kept) - len(plain), 'file')} encrypted" + (f", {len(plain)} plain" if plain else "")
    if not kept:
        return Layer("Secrets", (), "", NOT_COMPARED, latest.read_at, latest.stale, hint="creation_rules: in .sops.yaml")
    changed = [f for f in kept if f.change is not None]
    drift = shape("≠") + t(f" {len(changed)} not committed", "warn") if changed else IN_STEP
    return Layer("Secrets", ["✕" for _ in plain] + ["●"] * (len(kept) - len(plain)), words, drift, latest.read_at, latest.stale)


def _code(cockpit: Cockpit) -> Layer:
    latest = cockpit.fleet.tree.latest
    tree = latest.value
    if tree is None:
        return Layer("Code", (), "not read yet", NOT_COMPARED, None, latest.stale)
    changed = len(tree.modified) + len(tree.untracked)
    words = f"{tree.branch or 'no branch'} {tree.head.short if tree.head else ''}".strip()
    apart = [f"{changed} changed"] if changed else []
    apart += [f"{tree.ahead} to push"] if tree.ahead else []
    apart += [f"{tree.behind} to pull"] if tree.behind else []
    drift = shape("≠") + t(f" {', '.join(apart)}", "warn") if apart else IN_STEP
    return Layer("Code", ["≠" if apart else "●"], words, drift, latest.read_at, latest.stale)


def _age(
    found: Sequence[Observation[HostFacts]] | Sequence[Observation[ClusterSnapshot]] | Sequence[object],
) -> tuple[float | None, bool]:
    read = [o.read_at for o in found if isinstance(o, Observation) and o.read_at is not None]
    stale = any(isinstance(o, Observation) and o.stale for o in found)
    return (min(read) if read else None), stale


def layer_lines(found: Sequence[Layer], cells: int, now: float, small: bool) -> list[Line]:
    if small:
        out = []
        for layer in found:
            if layer.hint:
                continue
            out.append(ends(gap(2) + fit(t(layer.name), 9) + t(layer.health, "muted"), pips(layer.shapes, 8) + gap(1), cells))
        return out
    wide = cells > 90
    at = (1, 13, 20 if wide else 12, 28 if wide else 24)
    titles = gap(at[0]) + fit(t("layer", "faint"), at[1]) + gap(at[2]) + fit(t("health", "faint"), at[3])
    out = [ends(titles + t("drift: git ≠ runs", "faint"), t("seen", "faint"), cells)]
    for layer in found:
        age = t(units.age(now - layer.seen), "warn" if layer.stale else "muted") if layer.seen is not None else t("–", "faint")
        name = fit(t(layer.name, "faint" if layer.stale or layer.hint else "text"), at[1])
        if layer.hint:
            out.append(
                ends(
                    gap(at[0]) + name + t("–", "faint") + gap(at[2] - 1) + t(f"{layer.hint} fills it", "faint"),
                    t("–", "faint"),
                    cells,
                )
            )
            continue
        left = gap(at[0]) + name + fit(pips(layer.shapes, at[2] - 2), at[2]) + fit(t(layer.health, "muted"), at[3])
        out.append(ends(cut(left + layer.drift, cells - 6), age, cells))
    return out


def machine_lines(cockpit: Cockpit, cells: int) -> list[Line]:
    """Nodes, guests that are our hosts, and storages: how busy, how full."""
    guests = cockpit.fleet.guests
    hosts = {h.guest: h.name for h in cockpit.settings.hosts.values() if h.guest}
    rows: list[tuple[str, Sequence[float], float, int, int]] = []
    stores: dict[str, tuple[str, int, int]] = {}
    for observer in guests.clusters.values():
        seen = observer.latest.value
        if seen is None:
            continue
        rows += [(n.name, guests.cpu(n.ref), n.cpu, n.memory, n.memory_limit) for n in seen.nodes if n.online]
        mine = [g for g in seen.guests if g.ref in hosts and g.running]
        rows += [(hosts[g.ref], guests.cpu(g.ref), g.cpu, g.memory, g.memory_limit) for g in mine]
        for s in seen.storages:
            if s.available and s.size:
                stores[s.name if s.shared else f"{s.node}/{s.name}"] = (s.name, s.used, s.size)
    out = []
    bar = max(4, cells - 46)
    for name, history, cpu, used, limit in rows[:MACHINES]:
        graph = spark([min(9.0, v * 9) for v in history[-SPARK:]])
        share = used / limit if limit else 0.0
        left = fit(t(name), 10) + gap(1) + fit(graph, SPARK, "r") + fit(t(f"{cpu:.0%}"), 5, "r")
        room = gap(2) + meter(share, bar, "warn" if share > NEAR_LIMIT else "muted")
        out.append(ends(left + room, t(used_of(used, limit, 1), "muted"), cells))
    fullest = sorted(stores.values(), key=lambda s: -s[1] / s[2])[:STORAGES]
    if out and fullest:
        out.append(EMPTY)
    for name, used, size in fullest:
        share = used / size
        tone = "warn" if share >= FULL else "muted"
        left = fit(t(name, "muted"), 11) + gap(SPARK) + fit(t(f"{share:.0%}", tone), 5, "r") + gap(2) + meter(share, bar, tone)
        out.append(ends(left, t(used_of(used, size, 1), "muted"), cells))
    return out


def hold_lines(cockpit: Cockpit, against: dict[str, str], cells: int, now: float) -> Iterator[Line]:
    for name, observer in cockpit.fleet.hosts.items():
        facts = observer.latest.value
        if facts is None or facts.hold is None:
            continue
        hold = facts.hold
        behind = against.get(name, "").removeprefix("held, ").removeprefix("held")
        at = f" at {facts.profile_generation}" if facts.profile_generation is not None else ""
        left = shape("‖") + gap(1) + t(name, "text b") + t(at) + (t(f", {behind}", "warn") if behind else EMPTY)
        yield ends(left, t(units.age(now - hold.at), "muted"), cells)
        yield from wrap(f"{hold.by}: {hold.why}" if hold.why else f"by {hold.by}", cells, "muted", 2)
        if hold.abandoned:
            refused = ", ".join(sha[:7] for sha in hold.abandoned[:2])
            yield cut(t("  refuses ", "muted") + t(refused) + t(" and what descends from it", "muted"), cells)


def release_lines(releases: Sequence[Release], hosts: int, cells: int, now: float) -> Iterator[Line]:
    for release in releases:
        drawn = ReleaseRow(release, None, hosts, now)
        mark, where, _, subject, by, _, outcome = drawn.cells(wide=False)
        age = fit(t(units.age(now - (release.ended or release.started)), "muted"), 4, "r")
        left = fit(mark, 2) + gap(1) + fit(where, 8) + gap(1)
        if cells > 70:
            left += fit(subject, 32) + gap(2)
            yield ends(cut(left + outcome, cells - 6), age, cells)
        else:
            right = fit(by, 8, "r") + gap(1) + age
            yield ends(cut(left + subject, cells - 15), right, cells)


def moment_lines(found: Sequence[Moment], cells: int, now: float) -> Iterator[Line]:
    for moment in found:
        tone = TONES.get(moment.shape, "muted")
        strong = moment.shape in "✕▲‖●↺"
        left = fit(t(units.age(now - moment.time), "muted"), 6, "r") + gap(2) + t(moment.shape, tone) + gap(2)
        yield cut(left + fit(t(moment.kind, "muted"), 10) + gap(1) + t(moment.text, "text" if strong else "muted"), cells)


def section(words: str, cells: int, right: Line = EMPTY) -> Line:
    return heading(t(words, "text b"), cells, right)


def verdict(shapes: Sequence[str], words: dict[str, str], healthy: str, cells: int) -> Line:
    order = "✕▲‖≠◐◌"
    parts = [
        shape(c, f"{TONES[c]} b") + t(f" {shapes.count(c)}", f"{TONES[c]} b") + t(f" {words[c]}", "muted")
        for c in order
        if c in shapes
    ]
    return ends(join(parts, gap(3)) if parts else shape("●") + t(" all is well", "muted"), t(healthy, "muted"), cells)
