"""The lower half of Services: what a container is, its environment, and the log of its health check, as lines."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from cockpit.domain import units
from cockpit.domain.containers import ContainerDetail, Mount, Port
from cockpit.domain.services import Health, Service, Usage
from cockpit.tui.ink import EMPTY, Column, Line, cut, ends, fit, gap, join, meter, shape, side_by_side, spark, t, wrap
from cockpit.tui.panes.service_rows import NEAR_LIMIT, service_shape
from cockpit.tui.widgets.masks import DOTS

TABS = ("Logs", "Details", "Environment", "Health")
_SHORT = {"Environment": "Env"}
LABEL = 11
TWO_COLUMNS = 120
_TELLING = re.compile(r"(?i)key|token|secret|passw|auth|users|credential")


def tabs_line(tab: str, focus: bool, narrow: bool) -> Line:
    out = []
    for name in TABS:
        spec = ("accent b" if focus else "text b") if name == tab else "muted"
        out.append(t(_SHORT.get(name, name) if narrow else name, spec))
    return join(out, gap(2))


def tab_at(cell: int, narrow: bool) -> str:
    """The tab whose word is there; empty for none."""
    start = 0
    for name in TABS:
        long = len(_SHORT.get(name, name) if narrow else name)
        if start <= cell < start + long:
            return name
        start += long + 2
    return ""


def _fact(name: str, words: Line) -> Line:
    return gap(2) + fit(t(name, "faint"), LABEL) + words if words else EMPTY


def _several(name: str, rows: Sequence[Line]) -> list[Line]:
    return [_fact(name if i == 0 else "", row) for i, row in enumerate(rows)]


def cpu_line(past: Sequence[Usage], cells: int) -> Line:
    return spark([min(9.0, usage.cpu / 11) for usage in past[-cells:]]) if len(past) > 1 else EMPTY


def memory_line(past: Sequence[Usage], cells: int) -> Line:
    """Against its limit, else against the most that it took: the number says how much that is."""
    if len(past) < 2:
        return EMPTY
    most = past[-1].memory_limit or max(usage.memory for usage in past) * 1.6 or 1
    return spark([min(9.0, usage.memory / most * 9) for usage in past[-cells:]])


def detail_lines(service: Service, detail: ContainerDetail, past: Sequence[Usage], now: float, cells: int) -> list[Line]:
    how, what = [*_state(service, detail, now), *_use(service, past, cells)], _what(service, detail, now, cells)
    reach, labels = [*_ports(detail.ports), *_mounts(detail.mounts), *_networks(detail)], _labels(detail)
    if cells < TWO_COLUMNS:
        return [cut(line, cells) for line in (*how, *what[:1], *reach, *what[1:], *labels) if line]
    left, right = [line for line in (*how, *what) if line], [*reach, *labels]
    half = cells * 48 // 100
    tall = max(len(left), len(right))
    return side_by_side([cut(line, half - 2) for line in left], [cut(line, cells - half - 2) for line in right], half, tall)


def _state(service: Service, detail: ContainerDetail, now: float) -> list[Line]:
    since = detail.started if detail.running else detail.finished
    state = shape(service_shape(service)) + t(f" {detail.state.value}")
    state += t(f"  since {units.age(now - since)}", "muted") if since and since > 0 else EMPTY
    if detail.health is not Health.NONE:
        state += t(f"  {detail.health.value}", "warn" if detail.health is Health.UNHEALTHY else "muted")
    bad = detail.exit_code != 0 or detail.oom or bool(detail.error)
    last = EMPTY
    if detail.finished and detail.finished > 0:
        ago = f"{units.age(now - detail.finished)} ago"
        # the engine forgets the code with the next start
        last = t(ago, "muted") if detail.running else t(f"{detail.ended}, {ago}", "bad" if bad else "muted")
    restarts = t(detail.restarts, "bad" if detail.restarts and bad else "muted") + t(f"  policy {detail.policy}", "muted")
    return [_fact("state", state), _fact("last exit", last), _fact("restarts", restarts)]


def _use(service: Service, past: Sequence[Usage], cells: int) -> list[Line]:
    usage = service.usage
    if usage is None:
        return []
    long = max(8, min(32, (cells if cells < TWO_COLUMNS else cells // 2) - LABEL - 24))
    between = gap(2) if len(past) > 1 else EMPTY
    memory = t(units.short_size(usage.memory), "text b")
    if usage.memory_limit:
        share = usage.memory / usage.memory_limit
        tone = "warn" if share > NEAR_LIMIT else "muted"
        memory += t(f" of {units.short_size(usage.memory_limit)}  ", "muted") + meter(share, 6, tone) + t(f" {share:.0%}", tone)
    return [
        _fact("cpu", cpu_line(past, long) + between + t(f"{usage.cpu:.0f}%", "text b") + t(" of a core", "muted")),
        _fact("memory", memory_line(past, long) + between + memory),
    ]


def _what(service: Service, detail: ContainerDetail, now: float, cells: int) -> list[Line]:
    digest = (detail.digest or detail.image_id).partition(":")[2][:12]
    image = t(detail.image) + t(f"  {digest}", "faint") + t("  pinned" if detail.digest else "", "muted")
    made = f"{units.age(now - detail.created)} ago" if detail.created and detail.created > 0 else ""
    user = t(detail.user or "root", "muted" if detail.user else "warn") + t("  read-only" if detail.read_only else "", "muted")
    room = max(20, (cells if cells < TWO_COLUMNS else cells // 2) - LABEL - 6)
    return [
        _fact("image", image),
        _fact("container", t(detail.container[:12], "muted") + (t(f"  made {made}", "muted") if made else EMPTY)),
        *_several("command", wrap(detail.command, room)[:3]),
        _fact("user", user),
        _fact("needs", t(" ".join(service.after), "muted")),
        _fact("url", t(service.url, "accent")),
    ]  # fmt: skip


def _ports(ports: Sequence[Port]) -> list[Line]:
    rows = []
    for port in ports:
        inside = t(f"{port.private}/{port.kind}", "muted")
        if port.public is None:
            rows.append(inside + t("  not published", "faint"))
            continue
        open_ = port.address in ("", "0.0.0.0", "::")  # noqa: S104 - what is looked for
        where = t(f"{port.address or '*'}:{port.public}", "warn" if open_ else "text")
        rows.append(where + t(" → ", "faint") + inside + (t("  on every address", "warn") if open_ else EMPTY))
    return _several("ports", rows)


def _mounts(mounts: Sequence[Mount]) -> list[Line]:
    rows = [
        t("rw" if m.writable else "ro", "text" if m.writable else "faint") + t(f" {m.target}") + t("  ← ", "faint")
        + t(m.source or m.kind, "muted") + t("" if m.kind == "bind" else f"  {m.kind}", "faint")
        for m in mounts
    ]  # fmt: skip
    return _several("mounts", rows)


def _networks(detail: ContainerDetail) -> list[Line]:
    return _several("networks", [t(name, "muted") + t(f"  {address}", "faint") for name, address in detail.networks])


def _labels(detail: ContainerDetail) -> list[Line]:
    """A dashboard's key, or the hash of a password, is no sight for everybody."""
    rows = [
        t(f"{key.removeprefix('com.docker.')}", "faint") + t("  ") + t(DOTS if _TELLING.search(key) else value, "muted")
        for key, value in detail.labels
    ]
    return _several("labels", rows)


def environment_columns(cells: int) -> list[Column]:
    return [Column("variable", min(40, max(16, cells * 36 // 100))), Column("value", 0)]


def environment_cells(name: str, value: str | None, left: float) -> list[Line]:
    """`value` is None while it is masked."""
    if value is None:
        return [t(name), t(DOTS, "muted")]
    return [
        t(name, "text b"),
        t(f"hides in {max(1, math.ceil(left))}s  ", "warn") + t(value or "(empty)", "text" if value else "faint"),
    ]


def environment_pair(name: str, value: str | None, left: float, cells: int) -> tuple[Line, Line]:
    cell = environment_cells(name, value, left)
    return fit(cell[0], cells), cut(gap(2) + cell[1], cells)


def health_lines(detail: ContainerDetail, now: float, cells: int) -> list[Line]:
    if detail.health is Health.NONE:
        why = "It has no health check: `healthcheck` in the compose file gives it one. Until then, running is all that is known."
        return wrap(why, cells - 4, "muted", 2)
    tone = {Health.UNHEALTHY: "▲", Health.STARTING: "◐"}.get(detail.health, "●")
    failing = f"  {units.several(detail.failing, 'check')} failed in a row" if detail.failing else ""
    out = [_fact("health", shape(tone) + t(f" {detail.health.value}") + t(failing, "warn"))]
    out += _several("check", wrap(detail.check, max(20, cells - LABEL - 6))[:3])
    for probe in reversed(detail.probes):
        well = probe.exit == 0
        took = _took(probe.ended - probe.started) if probe.ended and probe.started else ""
        when = f"{units.age(now - probe.started)} ago" if probe.started else ""
        head = shape("●" if well else "✕") + t(f" exit {probe.exit}", "muted" if well else "bad") + t(f"  took {took}", "faint")
        lines = [line for line in probe.output.splitlines() if line.strip()]
        out += [EMPTY] if lines or len(out) < 3 or not out[-1] else []
        out += [ends(gap(2) + head, t(when, "muted"), min(cells, 72))]
        out += [cut(gap(4) + t(line, "text" if not well else "muted"), cells) for line in lines[-6:]]
    return out


def _took(seconds: float) -> str:
    return units.duration(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"
