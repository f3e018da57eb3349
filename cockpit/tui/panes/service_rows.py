"""Services as rows: pure functions from snapshots to lines."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cockpit.domain import units
from cockpit.domain.services import Health, Service, State
from cockpit.tui.ink import EMPTY, Column, Line, ends, fit, gap, pips, restyle, shape, spark, t

NEAR_LIMIT = 0.85
BUSY_CPU = 80.0
_ORDER = "✕▲◐●○◌"


def service_shape(service: Service) -> str:
    """Its one shape."""
    if service.state is State.RUNNING:
        return {Health.UNHEALTHY: "▲", Health.STARTING: "◐"}.get(service.health, "●")
    if service.state in (State.EXITED, State.CREATED, State.PAUSED) and (not service.broken or service.state is State.PAUSED):
        return "○"
    return "✕"


def worst_first(services: Sequence[Service]) -> int:
    return min((_ORDER.index(service_shape(s)) for s in services), default=9)


IMAGE = 29
"""Cells of the column."""


def service_columns(wide: bool) -> list[Column]:
    if not wide:
        return [
            Column("service", 0),
            Column("state", 6),
            Column("health", 13),
            Column("image", 10),
            Column("cpu", 4, "r"),
            Column("mem", 5, "r"),
        ]
    return [
        Column("service", 24), Column("state", 7), Column("health", 10), Column("rst", 3, "r"), Column("last exit", 9),
        Column("image", IMAGE),
        Column("cpu", 13, "r"), Column("mem", 6, "r"), Column("  ports", 11), Column("route", 0),
    ]  # fmt: skip


def image_name(image: str, cells: int = IMAGE) -> str:
    """Without the registry's host, and without its owner where the tag would not fit otherwise."""
    first, slash, rest = image.partition("/")
    name = rest if slash and ("." in first or ":" in first) else image
    return name if len(name) <= cells else name.rpartition("/")[2]


def tag(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[2] or image.rpartition("/")[2]


class ServiceRow(Struct, frozen=True):
    service: Service
    now: float
    history: tuple[float, ...] = ()
    """cpu, percent, oldest first."""
    stale: bool = False

    @property
    def key(self) -> str:
        return key_of(self.service)

    @property
    def words(self) -> str:
        s = self.service
        return f"{s.host} {s.ref} {s.image} {s.state.value} {s.health.value}"

    @property
    def shape(self) -> Line:
        return shape("◌") if self.stale else shape(service_shape(self.service))

    @property
    def bad(self) -> bool:
        return service_shape(self.service) == "✕"

    @property
    def _state(self) -> Line:
        s = self.service
        return self.shape + gap(1) + t(units.age(self.now - s.since) if s.since is not None else "–", "muted")

    @property
    def _health(self) -> Line:
        s = self.service
        if s.state is State.MISSING:
            return t("missing", "bad")
        if s.health is Health.NONE:
            return t("–" if s.state in (State.RUNNING, State.RESTARTING) else s.state.value, "muted")
        return t(s.health.value, {Health.UNHEALTHY: "warn", Health.STARTING: "busy"}.get(s.health, "muted"))

    @property
    def exit(self) -> str:
        s = self.service
        if s.exit_code is None or (s.exit_code == 0 and not s.oom):
            return ""
        return f"{s.exit_code} OOM" if s.oom else str(s.exit_code)

    @property
    def _cpu(self) -> Line:
        usage = self.service.usage
        return t(f"{usage.cpu:.0f}%", "warn" if usage.cpu > BUSY_CPU else "muted") if usage else t("–", "faint")

    @property
    def _memory(self) -> Line:
        usage = self.service.usage
        if usage is None:
            return t("–", "faint")
        near = bool(usage.memory_limit) and usage.memory / (usage.memory_limit or 1) > NEAR_LIMIT
        return t(units.short_size(usage.memory), "warn" if near else "muted")

    def cells(self, wide: bool) -> list[Line]:
        s = self.service
        restarts = t(s.restarts, "bad b" if self.bad else "muted") if s.restarts else t("0", "faint")
        if not wide:
            name = t(s.ref if s.project else s.name, "text b" if self.bad else "text")
            told = t(f"{s.restarts} × {self.exit}", "bad") if self.bad and self.exit else self._health
            out = [name, self._state, told, t(tag(s.image), "muted"), self._cpu, self._memory]
        else:
            ports = gap(2) + t(" ".join(map(str, s.ports)) or "–", "faint")
            graph = spark([min(9.0, v / 11) for v in self.history[-8:]]) if len(self.history) > 1 else EMPTY
            out = [
                gap(2) + t(s.service if s.project else s.name, "text b" if self.bad else "text"), self._state,
                self._health, restarts,
                t(self.exit, "bad" if self.bad else "muted"), t(image_name(s.image), "muted"), graph + fit(self._cpu, 5,
                    "r"), self._memory, ports, t(s.url.partition("//")[2].rstrip("/"), "muted"),
            ]  # fmt: skip
        return [restyle(cell, "faint") for cell in out] if self.stale else out

    def pair(self, cells: int) -> tuple[Line, Line]:
        s = self.service
        since = units.age(self.now - s.since) if s.since is not None else ""
        told = (
            t(f"{s.restarts} restarts, exit {self.exit}", "bad")
            if self.bad and self.exit
            else self._health + t(f" {since}", "muted")
        )
        numbers = fit(self._cpu, 4, "r") + fit(self._memory, 7, "r")
        first = ends(self.shape + gap(1) + t(s.service, "text b") + gap(1) + t(s.project, "faint"), numbers, cells)
        second = ends(gap(2) + told, t(tag(s.image), "faint"), cells)
        return (restyle(first, "faint"), restyle(second, "faint")) if self.stale else (first, second)


def key_of(service: Service) -> str:
    return f"{service.host}/{service.project}/{service.service}/{service.number}"


def group_span(host: str, project: str, services: Sequence[Service], folded: bool, cells: int) -> Line:
    name = t(project or "not compose", "text b")
    line = gap(1) + t("▸" if folded else "▾", "faint") + gap(1) + name + gap(1) + t(host, "faint")
    if not folded:
        return line
    shapes = [service_shape(s) for s in services]
    well = all(s in "●○" for s in shapes)
    words = f"{units.several(len(services), 'service')}, all healthy" if well else units.several(len(services), "service")
    return line + gap(3) + pips(shapes) + t(f" {words}", "muted")
