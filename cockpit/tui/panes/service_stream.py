"""The live logs of what is chosen in Services: the stream, since when, the marker, and saving what shows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from cockpit.actions.bundle import Cockpit
from cockpit.actions.saving import save_lines
from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Level, LogGap, Service
from cockpit.domain.units import exact_time
from cockpit.tui.ink import EMPTY, Line, cut, gap, heading, join, shape, t, width
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.service_detail import tabs_line
from cockpit.tui.widgets.log_view import LogView
from cockpit.tui.widgets.surface import Handlers, narrow, roomy
from cockpit.tui.work import work

PRESETS: tuple[tuple[float | None, int], ...] = (
    (300.0, 1000), (900.0, 1000), (3600.0, 5000), (6 * 3600.0, 10_000), (24 * 3600.0, 10_000), (None, 10_000),
)  # fmt: skip
"""(seconds back, the most old lines of each container)."""
SETTLE = 0.15
"""The cursor rests this long before its logs are fetched."""
RETRY = 5.0


class ServiceStream:
    def __init__(
        self,
        pane: Pane,
        cockpit: Cockpit,
        chosen: Callable[[], list[Service]],
        service: Callable[[], Service | None],
        say: Callable[[Line], None],
    ) -> None:
        self._pane = pane
        self._cockpit = cockpit
        self._chosen = chosen
        self._say = say
        self._streaming: tuple[str, ...] = ()
        self._preset = 1
        self._seen: deque[tuple[float, int]] = deque(maxlen=6)
        self._markers = 0
        self.view = LogView("logs")
        self.view.heading = self.heading
        self.view.strong = lambda item: (
            (s := service()) is not None and (item.host, item.project, item.service) == (s.host, s.project, s.service)
        )

    @property
    def handlers(self) -> Handlers:
        return {"logs.since": self.next_preset, "logs.marker": self.marker, "logs.save": self.save}

    @property
    def text(self) -> str:
        """The lines that show."""
        ring = self.view.ring
        return "\n".join(f"{exact_time(i.time)} {i.service} {i.text}" for i in (ring[seq] for seq in ring.shown))

    def stream(self) -> None:
        """Follows what is chosen; a stream that already runs goes on."""
        services = self._chosen()
        wanted = tuple(sorted(s.container for s in services if s.container))
        if wanted == self._streaming:
            return
        self._streaming = wanted
        view, clock = self.view, self._cockpit.clock
        back, tail = PRESETS[self._preset]

        async def follow() -> None:
            await asyncio.sleep(SETTLE)
            view.names = 8
            view.empty = f"No lines in the last {units.age(back)}; new ones appear here." if back else "No lines yet."
            view.start()
            since = clock.now() - back if back is not None else None
            while wanted:
                try:
                    async for batch in self._cockpit.fleet.logs(services, since, tail):
                        self._seen.append((clock.now(), len(batch)))
                        view.extend(batch)
                        since = max(since or 0.0, *(item.time for item in batch)) if batch else since
                except CockpitError as error:
                    s = services[0]
                    view.extend([LogGap(s.host, s.project, s.service, clock.now(), f"{error}; tries again in 5s")])
                else:
                    return
                await asyncio.sleep(RETRY)

        work(self._pane, follow, "logs")

    def next_preset(self) -> None:
        self._preset = (self._preset + 1) % len(PRESETS)
        self._streaming = ()
        self.stream()
        self.view.redraw()

    def marker(self) -> None:
        """Goes where the newest line is now."""
        self._markers += 1
        now = self._cockpit.clock.now()
        self.view.extend([LogGap("", "", "", now, f"marker {self._markers}, {units.clock(now)[:8]}", marker=True)])

    def save(self) -> None:
        lines = self.text.splitlines()
        names = "-".join(dict.fromkeys(s.service for s in self._chosen()[:4])) or "logs"
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self._cockpit.clock.now()))

        async def write() -> None:
            try:
                path = await save_lines(Path.cwd(), f"{names}-{stamp}", lines)
            except CockpitError as error:
                self._say(shape("✕") + t(f" {error}"))
            else:
                self._say(shape("●") + t(f" {units.several(len(lines), 'line')} saved to {path.name}"))

        work(self._pane, write, "save")

    # heading

    def heading(self, cells: int, focus: bool, typed: Line) -> Line:
        view, small = self.view, narrow(cells)
        left = tabs_line("Logs", focus, small)
        if typed:
            left += gap(2) + typed
        else:
            left += gap(3 if roomy(cells) else 2) + self._names(cells)
        if small:
            return _headed(left, cells, shape("●") if view.following else shape("○"))
        level = "all levels" if view.level is Level.DEBUG else f"≥ {view.level.name.lower()}"
        state = shape("●") + t(" following") if view.following else shape("○") + t(" paused, ", "muted")
        if not view.following:
            state += t("G", "text b") + t(" resumes", "muted")
        back = PRESETS[self._preset][0]
        since = units.age(back) if back is not None else "all"
        if not roomy(cells):
            return _headed(left, cells, t(f"{since}  {level}", "muted") + gap(2) + state)
        parts = [
            t("since ", "muted") + t(since), t("level ", "muted") + t(level),
            t("kept ", "muted") + t(units.thousands(len(view.ring))), state,
        ]  # fmt: skip
        if rate := self._rate():
            parts.insert(2, t("rate ", "muted") + t(f"{units.thousands(rate)}/s"))
        return _headed(left, cells, join(parts, gap(3)))

    def _names(self, cells: int) -> Line:
        chosen = self._chosen()
        hosts: Sequence[str] = sorted({s.host for s in chosen})
        if len(chosen) > 1:
            words = " ".join(s.service for s in chosen) if roomy(cells) else f"{len(chosen)} services"
            of = t(f"  of {', '.join(hosts)}, merged", "muted") if roomy(cells) else EMPTY
            return t("▎", "accent") + cut(t(words), 46) + of
        if not chosen:
            return EMPTY
        return t(chosen[0].ref) + (t(f"  of {hosts[0]}", "muted") if roomy(cells) else EMPTY)

    def _rate(self) -> int:
        now = self._cockpit.clock.now()
        recent = [(at, count) for at, count in self._seen if now - at < 3 and at != self._seen[0][0]]
        return round(sum(c for _, c in recent) / max(1.0, now - recent[0][0])) if recent else 0


def _headed(left: Line, cells: int, right: Line) -> Line:
    """What is chosen gives way: whether it follows is always in sight."""
    return heading(cut(left, cells - width(right) - 4), cells, right)
