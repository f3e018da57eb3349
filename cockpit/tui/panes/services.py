"""Services: compose projects of every host; the logs of what is chosen, and the details of the selected one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from typing import Protocol, cast

from textual.app import ComposeResult, SuspendNotSupported

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import LOGS, SERVICES, Context
from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import COMPOSE_FILES, Service, ServicesSnapshot, State
from cockpit.observe.observation import Observation
from cockpit.tui.going import Going
from cockpit.tui.ink import EMPTY, Line, cut, gap, heading, join, shape, t, title, width, wrap
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.service_below import ServiceBelow
from cockpit.tui.panes.service_detail import TABS, tab_at
from cockpit.tui.panes.service_rows import ServiceRow, group_span, key_of, service_columns, service_shape, worst_first
from cockpit.tui.panes.service_stream import ServiceStream
from cockpit.tui.widgets.log_view import LogView
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, roomy
from cockpit.tui.work import work

Group = tuple[str, str]
"""(host, project)."""


class Main(Protocol):
    """What the pane needs of the main screen."""

    @property
    def going(self) -> Going: ...
    def say(self, line: Line) -> None: ...
    def visit(self, name: str, key: str, action: str | None = None) -> None: ...


class ServicesPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.services = RowTable(SERVICES, "service-table")
        self.stream = ServiceStream(self, cockpit, self.chosen, lambda: self.service, self.say)
        self.below = ServiceBelow(self, cockpit, self.stream, lambda: self.service)
        self.opened = False
        """The lower half alone, where there is no room for it below the table."""
        self._folded: set[Group] = set()
        self._sought: Group | None = None
        """A project that somebody wants to see, before it is known."""
        self._order: dict[Group, int] = {}

    def compose(self) -> ComposeResult:
        yield from (self.services, *self.below.surfaces)

    @property
    def logs(self) -> LogView:
        return self.stream.view

    @property
    def main(self) -> Main:
        return cast(Main, self.screen)

    def on_mount(self) -> None:
        self.services.heading = self._heading
        self.services.empty = self._empty
        self.below.detail.clicked = self._tab_clicked
        for observer in self.cockpit.fleet.services.values():
            observer.listen(self._heard)
        self.fill()

    # data

    def _heard(self, seen: Observation[ServicesSnapshot]) -> None:
        self.fill()
        self.below.load(0.0)

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
        if not self.is_mounted or not self.room.width:
            return
        wide, small = roomy(self.room.width), narrow(self.room.width)
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
                row = ServiceRow(s, now, tuple(u.cpu for u in self.cockpit.fleet.containers.past(s)[-8:]), stale)
                entries.append(Entry(row.key, row.words, partial(row.cells, wide), row.pair if small else None))
        first = self.services.total == 0 and not self.services.waits
        self.services.columns = service_columns(wide)
        self.services.between = 2
        self.services.set_entries(entries)
        if first and wide and len(entries) > 1:
            self.services.select(entries[1].key)
        if self._sought and (found := self.groups().get(self._sought)):
            self.services.select("//".join(self._sought) if wide else key_of(found[0]))
            self._sought = None
        self.below.fill()
        self.relay()
        self.stream.stream()

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

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        if event.table is not self.services:
            return
        self.below.hide()
        self.below.detail.to_top()
        self.below.fill()
        self.logs.redraw()
        self.stream.stream()
        self.below.load()

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
        air = 1 if wide else 0
        self.below.environment.pairs = small
        self.below.environment.show_titles = not small
        self.below.detail.air = air
        for surface in self.below.surfaces:
            if surface is not self.below.shown:
                self.place(surface, 0)
        if small:
            self.place(self.services, 0 if self.opened else height)
            self.place(self.below.shown, height if self.opened else 0)
            return
        rows = max(1, self.services.total) + (2 if wide else 1)
        rows = min(rows, (height - 2 * air) * (52 if wide else 48) // 100)
        self.place(self.services, 0 if self.opened else rows, air)
        self.place(self.below.shown, height - air if self.opened else height - rows - 2 * air, air)

    def shown(self, shown: bool) -> None:
        self.below.watched = shown
        for observer in self.cockpit.fleet.services.values():
            observer.show(shown)
        if shown:
            self._order.clear()
            self.fill()
            self.below.load()
        else:
            self.below.hide()

    def tick(self) -> None:
        self.fill()
        self.below.shown.redraw()

    def context(self) -> Context:
        where = LOGS if self.focused is self.logs else SERVICES
        service = self.service
        group = "" if self.services.marked else self._project
        host = service.host if service else group.partition("/")[0] or None
        facts = self.cockpit.fleet.hosts[host].latest.value if host in self.cockpit.fleet.hosts and host else None
        return Context(
            focus=where, host=host, facts=facts, service=service, services=tuple(self.chosen()), project=group,
            rows=max(1, self.services.count),
        )  # fmt: skip

    @property
    def _project(self) -> str:
        """`HOST/PROJECT` of the group under the cursor."""
        host, slashes, project = (self.services.key or "").partition("//")
        return f"{host}/{project}" if slashes and project and "/" not in project else ""

    def target(self) -> str:
        if self.services.marked:
            return f"{len(self.services.marked)} services"
        return self.service.ref if self.service else self._project.partition("/")[2]

    def address(self) -> str:
        s = self.service
        if s is None or not s.project:
            return self._project
        number = f"/{s.number}" if s.number != 1 else ""
        return f"{s.host}/{s.ref}{number}" + ("/logs" if self.focused is self.logs else "")

    def copies(self) -> list[tuple[str, str]]:
        s = self.service
        found = (
            [("service", f"{s.host}/{s.ref}"), ("container", s.container), ("image", s.image), ("image id", s.image_id)]
            if s
            else []
        )
        if s is not None and s.url:
            found.append(("url", s.url))
        if s is not None and s.state is State.RUNNING:
            found.append(("shell", shlex.join(self.cockpit.services.shell_command(s))))
        if (value := self.below.value_shown) is not None:
            found.append((f"value of {value[0]}", value[1]))
        return [*found, ("log lines", self.stream.text)]

    def handlers(self) -> Handlers:
        away = self.opened or self.focused is not self.services
        back: Handlers = {"app.back": self.close, "app.close": self.close} if away else {}
        return {
            "list.open": self.open,
            "service.logs": lambda: self.to_tab("Logs", True),
            "service.describe": lambda: self.to_tab("Details", True),
            "service.environment": lambda: self.to_tab("Environment", True),
            "service.shell": self.shell,
            "service.url": lambda: self.main.going.browse(s.url) if (s := self.service) else None,
            "service.source": self.edit_source,
            "tab.next": lambda: self.show_tab(1),
            "tab.previous": lambda: self.show_tab(-1),
            **self.stream.handlers,
            **back,
        }

    def say(self, line: Line) -> None:
        self.main.say(line)

    def show_tab(self, step: int) -> None:
        self.to_tab(TABS[(TABS.index(self.below.tab) + step) % len(TABS)], self.focused is not self.services)

    def to_tab(self, tab: str, enter: bool = False) -> None:
        """Shows a tab; `enter` gives it the focus."""
        self.below.tab = tab
        self.below.hide()
        self.opened = self.opened or (enter and narrow(self.size.width))
        self.below.fill()
        self.relay()
        self.below.detail.to_top()
        if enter:
            self.below.shown.focus()
        self.below.load(0.0)

    def _tab_clicked(self, cell: int) -> None:
        if tab := tab_at(cell if roomy(self.size.width) else cell - 1, narrow(self.size.width)):
            self.to_tab(tab)

    def shell(self) -> None:
        service = self.service
        if service is None:
            return

        async def visit() -> None:
            try:
                with self.app.batch_update(), self.app.suspend():
                    await self.cockpit.services.shell(service)
            except CockpitError as error:
                self.say(shape("✕") + t(f" {error}"))
            except SuspendNotSupported:
                self.say(shape("✕") + t(" this terminal cannot be handed over to a shell"))
            self.cockpit.fleet.services[service.host].poke()

        work(self, visit, "shell")

    def edit_source(self) -> None:
        """The compose file of the repository that its project comes from."""
        service = next(iter(self.chosen()), None)
        project = self.cockpit.settings.projects.get(service.project) if service is not None else None
        if project is None:
            self.say(t("cockpit.yaml names no such project: its compose file is not in this repository", "warn"))
            return
        found = next((n for n in COMPOSE_FILES if (self.cockpit.settings.root / project.source / n).is_file()), COMPOSE_FILES[0])
        self.main.visit("files", f"{project.source}/{found}")

    def turn_to(self, key: str) -> None:
        """`HOST//PROJECT` is the project: its row, or its worst service where projects have none."""
        host, project, *rest = key.split("/")
        if not project and len(rest) == 1:
            project = rest[0]
            self._sought = (host, project)
        self._folded.discard((host, project))
        self.fill()
        if self._sought is None and key != f"{host}//{project}":
            self.services.select(key)

    @property
    def waits(self) -> bool:
        return self._sought is not None or super().waits

    def open(self) -> None:
        key = self.services.key or ""
        host, slashes, project = key.partition("//")
        if self.focused is self.services and slashes and "/" not in project:
            self._folded ^= {(host, project)}
            self.fill()
        elif self.focused is self.below.environment:
            self.below.reveal()
        elif self.focused is self.services:
            self.to_tab(self.below.tab, True)

    def close(self) -> None:
        self.opened = False
        self.relay()
        self.services.focus()
