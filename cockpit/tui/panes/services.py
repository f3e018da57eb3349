"""Services: compose projects of every host, and the logs of what is chosen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import LOGS, SERVICES, Context
from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Level, LogGap, Service, ServicesSnapshot
from cockpit.domain.units import exact_time
from cockpit.observe.observation import Observation
from cockpit.tui.ink import EMPTY, Line, cut, gap, heading, join, shape, t, title, width, wrap
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.service_rows import ServiceRow, group_span, key_of, service_columns, service_shape, worst_first
from cockpit.tui.widgets.log_view import LogView
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work

SINCE = 15 * 60.0
"""Logs begin this many seconds ago."""
SETTLE = 0.15
"""The cursor rests this long before its logs are fetched."""
RETRY = 5.0
Group = tuple[str, str]
"""(host, project)."""


class ServicesPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.services = RowTable(SERVICES, "service-table")
        self.logs = LogView("logs")
        self.opened = False
        self._folded: set[Group] = set()
        self._order: dict[Group, int] = {}
        self._history: dict[str, deque[float]] = {}
        self._streaming: tuple[str, ...] = ()
        self._seen_lines: deque[tuple[float, int]] = deque(maxlen=6)

    def compose(self) -> ComposeResult:
        yield self.services
        yield self.logs

    def on_mount(self) -> None:
        self.services.heading = self._heading
        self.services.empty = self._empty
        self.logs.heading = self._logs_heading
        self.logs.empty = ""
        self.logs.strong = lambda item: (
            (s := self.service) is not None and (item.host, item.project, item.service) == (s.host, s.project, s.service)
        )
        for name, observer in self.cockpit.fleet.services.items():
            observer.listen(partial(self._heard, name))
        self.fill()

    # data

    def _heard(self, host: str, seen: Observation[ServicesSnapshot]) -> None:
        snapshot = self.cockpit.fleet.services[host].latest
        if snapshot.value is not None and not snapshot.stale:
            for s in snapshot.value.services:
                if s.usage is not None:
                    self._history.setdefault(key_of(s), deque(maxlen=8)).append(s.usage.cpu)
        self.fill()

    def groups(self) -> dict[Group, list[Service]]:
        """Projects, worst first; the order stays until the pane is entered again or refreshed."""
        out: dict[Group, list[Service]] = {}
        for observer in self.cockpit.fleet.services.values():
            for s in observer.latest.value.services if observer.latest.value else ():
                out.setdefault((s.host, s.project), []).append(s)
        for group, services in sorted(out.items(), key=lambda pair: (worst_first(pair[1]), not pair[0][1])):
            self._order.setdefault(group, len(self._order) if services else 0)
        for services in out.values():
            services.sort(key=lambda s: (service_shape(s) not in "✕▲",))
        return dict(sorted(out.items(), key=lambda pair: self._order[pair[0]]))

    def _all(self) -> list[Service]:
        return [s for services in self.groups().values() for s in services]

    @property
    def service(self) -> Service | None:
        key = self.services.key
        return next((s for s in self._all() if key_of(s) == key), None)

    def chosen(self) -> list[Service]:
        """Marked services, else the one under the cursor, else all of the project under it."""
        everything = self._all()
        if self.services.marked:
            return [s for s in everything if key_of(s) in self.services.marked]
        key = self.services.key
        return [s for s in everything if key_of(s) == key] or [s for s in everything if f"{s.host}//{s.project}" == key]

    def fill(self) -> None:
        if not self.is_mounted or not self.size.width:
            return
        wide, small = roomy(self.size.width), narrow(self.size.width)
        now = self.cockpit.clock.now()
        entries: list[Entry] = []
        for (host, project), services in self.groups().items():
            folded = (host, project) in self._folded
            if wide:
                entries.append(
                    Entry(f"{host}//{project}", f"{project} {host}" if folded else "", group=True,
                          span=partial(group_span, host, project, services, folded))
                )  # fmt: skip
            if folded and wide:
                continue
            stale = self.cockpit.fleet.services[host].latest.stale
            for s in services:
                row = ServiceRow(s, now, tuple(self._history.get(key_of(s), ())), stale)
                entries.append(Entry(row.key, row.words, partial(row.cells, wide), row.pair if small else None))
        first = self.services.total == 0 and not self.services.waits
        self.services.columns = service_columns(wide)
        self.services.between = 2
        self.services.set_entries(entries)
        if first and wide and len(entries) > 1:
            self.services.select(entries[1].key)
        self.relay()
        self._stream()

    def _empty(self, cells: int) -> Sequence[Line]:
        observers = self.cockpit.fleet.services
        silent = [f"{name}: {o.latest.error}" for name, o in observers.items() if o.latest.error]
        read = [name for name, o in observers.items() if o.latest.value is not None]
        if silent:
            return [line for words in silent for line in wrap(words, cells - 4, "muted", 2)]
        if read:
            return wrap(
                "No containers run here. Projects come with a deploy: `projects` in cockpit.yaml, then >.", cells - 4, "muted", 2
            )
        return wrap("Reading the container engines for the first time.", cells - 4, "muted", 2)

    # logs

    def on_row_table_moved(self) -> None:
        self.logs.redraw()
        self._stream()

    def _stream(self) -> None:
        """Follows what is chosen; a stream that already runs goes on."""
        services = self.chosen()
        wanted = tuple(sorted(s.container for s in services if s.container))
        if wanted == self._streaming:
            return
        self._streaming = wanted

        async def follow() -> None:
            await asyncio.sleep(SETTLE)
            self.logs.names = 8
            self.logs.empty = "No lines in the last 15 minutes; new ones appear here."
            self.logs.start()
            since = self.cockpit.clock.now() - SINCE
            while wanted:
                try:
                    async for batch in self.cockpit.fleet.logs(services, since):
                        self._seen_lines.append((self.cockpit.clock.now(), len(batch)))
                        self.logs.extend(batch)
                        since = max(since, *(item.time for item in batch)) if batch else since
                except CockpitError as error:
                    s = services[0]
                    self.logs.extend(
                        [LogGap(s.host, s.project, s.service, self.cockpit.clock.now(), f"{error}; tries again in 5s")]
                    )
                else:
                    return
                await asyncio.sleep(RETRY)

        work(self, follow, "logs")

    # lines

    def _heading(self, cells: int, focus: bool, typed: Line) -> Line:
        services = self._all()
        shapes = [service_shape(s) for s in services]
        hosts = len({s.host for s in services})
        counts = [shape(c) + t(f" {shapes.count(c)}", {"✕": "bad", "▲": "warn"}[c]) for c in "✕▲" if c in shapes]
        where = f" on {units.several(hosts, 'host')}" if hosts else ""
        if narrow(cells):
            left = title("Services", focus) + t(f"  {len(services)}{where}", "muted") + (gap(2) + typed if typed else EMPTY)
            right = join(counts, gap(2))
            return cut(left, cells - width(right)) + gap(cells - width(right) - width(left)) + right
        words = f"{self.services.count} of {self.services.total}" if typed else f"{len(services)}{where}"
        tail = gap(5) + t("worst project first", "muted") if roomy(cells) else EMPTY
        return heading(
            title("Services", focus) + (gap(2) + typed if typed else EMPTY),
            cells,
            join([t(words, "muted"), *counts], gap(3)) + tail,
        )

    def _logs_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        chosen, logs = self.chosen(), self.logs
        names = [s.service for s in chosen]
        hosts = sorted({s.host for s in chosen})
        left = title("Logs", focus)
        if typed:
            left = left + gap(2) + typed
        elif len(names) > 1:
            words = " ".join(names) if roomy(cells) else f"{len(names)} services"
            left = (
                left
                + gap(2)
                + t("▎", "accent")
                + cut(t(words), 60)
                + (t(f"  of {', '.join(hosts)}, merged", "muted") if roomy(cells) else EMPTY)
            )
        elif chosen:
            left = left + gap(2) + t(chosen[0].ref) + (t(f"  of {hosts[0]}", "muted") if roomy(cells) else EMPTY)
        level = "all levels" if logs.level is Level.DEBUG else f"≥ {logs.level.name.lower()}"
        state = (
            shape("●") + t(" following")
            if logs.following
            else shape("○") + t(" paused, ", "muted") + t("G", "text b") + t(" resumes", "muted")
        )
        if not roomy(cells):
            return heading(left, cells, t(level, "muted") + gap(2) + state)
        parts = [
            t("since ", "muted") + t(units.age(SINCE)), t("level ", "muted") + t(level),
            t("kept ", "muted") + t(units.thousands(len(logs.ring))), state,
        ]  # fmt: skip
        if rate := self._rate():
            parts.insert(2, t("rate ", "muted") + t(f"{units.thousands(rate)}/s"))
        return heading(left, cells, join(parts, gap(3)))

    def _rate(self) -> int:
        now = self.cockpit.clock.now()
        recent = [(at, count) for at, count in self._seen_lines if now - at < 3 and at != self._seen_lines[0][0]]
        return round(sum(c for _, c in recent) / max(1.0, now - recent[0][0])) if recent else 0

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.services

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide, small = roomy(width), narrow(width)
        self.services.pairs = small
        self.services.show_titles = not small
        self.services.heading = self._heading if wide or small else None
        if small:
            self.place(self.services, 0 if self.opened else height)
            self.place(self.logs, height if self.opened else 0)
            return
        air = 1 if wide else 0
        rows = max(1, self.services.total) + (2 if wide else 1)
        rows = min(rows, (height - 2 * air) * (52 if wide else 48) // 100)
        self.place(self.services, 0 if self.opened else rows, air)
        self.place(self.logs, height - air if self.opened else height - rows - 2 * air, air)

    def shown(self, shown: bool) -> None:
        for observer in self.cockpit.fleet.services.values():
            observer.show(shown)
        if shown:
            self._order.clear()
            self.fill()

    def tick(self) -> None:
        self.fill()
        self.logs.redraw()

    def context(self) -> Context:
        where = LOGS if self.focused is self.logs else SERVICES
        service = self.service
        host = service.host if service else None
        facts = self.cockpit.fleet.hosts[host].latest.value if host in self.cockpit.fleet.hosts and host else None
        return Context(focus=where, host=host, facts=facts, service=service, rows=max(1, self.services.count))

    def target(self) -> str:
        return self.service.ref if self.service else ""

    def copies(self) -> list[tuple[str, str]]:
        s = self.service
        found = (
            [("service", f"{s.host}/{s.ref}"), ("container", s.container), ("image", s.image), ("image id", s.image_id)]
            if s
            else []
        )
        shown = [self.logs.ring[seq] for seq in self.logs.ring.shown]
        return [*found, ("log lines", "\n".join(f"{exact_time(i.time)} {i.service} {i.text}" for i in shown))]

    def handlers(self) -> Handlers:
        back: Handlers = {"app.back": self.close, "app.close": self.close} if self.opened or self.focused is self.logs else {}
        return {"list.open": self.open, "service.logs": self.open_logs, **back}

    def turn_to(self, key: str) -> None:
        host, project, *_ = key.split("/")
        self._folded.discard((host, project))
        self.fill()
        self.services.select(key)

    def open(self) -> None:
        key = self.services.key or ""
        host, slashes, project = key.partition("//")
        if slashes and "/" not in project:
            self._folded ^= {(host, project)}
            self.fill()
        else:
            self.open_logs()

    def open_logs(self) -> None:
        self.opened = narrow(self.size.width)
        self.relay()
        self.logs.focus()

    def close(self) -> None:
        self.opened = False
        self.relay()
        self.services.focus()
