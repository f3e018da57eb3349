"""The lower half of Services: logs, or of the selected one its details, its environment and its health check."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import SERVICES
from cockpit.domain import units
from cockpit.domain.containers import ContainerDetail
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Service
from cockpit.tui.ink import EMPTY, Line, gap, heading, restyle, shape, t, wrap
from cockpit.tui.panes import service_detail
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.service_detail import TABS, tabs_line
from cockpit.tui.panes.service_stream import ServiceStream
from cockpit.tui.widgets.log_view import LogView
from cockpit.tui.widgets.row_table import Entry, RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Surface, narrow, roomy
from cockpit.tui.work import work

SETTLE = 0.2
"""The cursor rests this long before anything is asked about what it is on."""
REMEMBERED = 16
"""Containers whose details are remembered."""
SHOWN_FOR = 10.0
"""Seconds that a value of the environment shows."""


class Known(Struct, frozen=True):
    """What was read of a container, and how the last try went."""

    detail: ContainerDetail | None
    read_at: float
    error: CockpitError | None = None


class ServiceBelow:
    """Three surfaces of a pane, of which the open tab shows one; details are read only while somebody looks."""

    def __init__(self, pane: Pane, cockpit: Cockpit, stream: ServiceStream, service: Callable[[], Service | None]) -> None:
        self._pane = pane
        self._cockpit = cockpit
        self._stream = stream
        self._service = service
        self.tab = TABS[0]
        self.watched = False
        self.detail = Sheet(SERVICES, "service-detail")
        self.environment = RowTable(SERVICES, "service-environment")
        for surface in (self.detail, self.environment):
            surface.heading = self.heading
        self.detail.body = self._body
        self.environment.empty = self._nothing
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._shown: tuple[str, str, float] = ("", "", 0.0)
        """(container, variable, until) whose value shows."""

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        return self._stream.view, self.detail, self.environment

    @property
    def shown(self) -> LogView | Sheet | RowTable:
        if self.tab == "Logs":
            return self._stream.view
        return self.environment if self.tab == "Environment" else self.detail

    @property
    def known(self) -> Known | None:
        service = self._service()
        return self._known.get(service.container) if service is not None else None

    # reading on demand

    def load(self, settle: float = SETTLE) -> None:
        """Of the selected one, where its tab shows."""
        service = self._service()
        if service is None or not service.container or not self.watched or self.tab == "Logs":
            return

        async def read() -> None:
            await asyncio.sleep(settle)
            before, now = self._known.get(service.container), self._cockpit.clock.now()
            try:
                known = Known(await self._cockpit.fleet.containers.detail(service), now)
            except CockpitError as error:
                known = Known(before.detail if before else None, before.read_at if before else now, error)
            self._known[service.container] = known
            self._known.move_to_end(service.container)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            self.fill()

        work(self._pane, read, "detail")

    def fill(self) -> None:
        cells = max(20, self.environment.size.width or self._pane.size.width)
        found = self.known.detail.environment if self.known is not None and self.known.detail is not None else ()
        self.environment.columns = service_detail.environment_columns(cells)
        self.environment.set_entries(
            [
                Entry(name, name, partial(self._variable, name), partial(self._variable_pair, name))
                for name in dict.fromkeys(name for name, _ in found)
            ]
        )
        self.detail.redraw()

    # environment

    def reveal(self) -> None:
        """Shows the value under the cursor for a while, or hides it."""
        service, name = self._service(), self.environment.key
        if service is None or name is None:
            return
        shows = self._value(name) is not None
        self._shown = ("", "", 0.0) if shows else (service.container, name, self._cockpit.clock.monotonic() + SHOWN_FOR)
        self.environment.redraw()

    def hide(self) -> None:
        self._shown = ("", "", 0.0)

    def _value(self, name: str) -> str | None:
        """None while it is masked."""
        service, known = self._service(), self.known
        container, shown, until = self._shown
        if service is None or known is None or known.detail is None or (container, shown) != (service.container, name):
            return None
        if self._cockpit.clock.monotonic() >= until:
            self.hide()
            return None
        return next((v.reveal().decode("utf-8", "replace") for n, v in known.detail.environment if n == name), None)

    @property
    def value_shown(self) -> tuple[str, str] | None:
        """(variable, value) that shows now: only that one can be copied."""
        name = self._shown[1]
        value = self._value(name) if name else None
        return (name, value) if value is not None else None

    def _variable(self, name: str) -> list[Line]:
        left = self._shown[2] - self._cockpit.clock.monotonic()
        return service_detail.environment_cells(name, self._value(name), left)

    def _variable_pair(self, name: str, cells: int) -> tuple[Line, Line]:
        left = self._shown[2] - self._cockpit.clock.monotonic()
        return service_detail.environment_pair(name, self._value(name), left, cells)

    # lines

    def heading(self, cells: int, focus: bool, typed: Line) -> Line:
        service, known, now = self._service(), self.known, self._cockpit.clock.now()
        left = tabs_line(self.tab, focus, narrow(cells)) + gap(3 if roomy(cells) else 2)
        if typed:
            left += typed
        elif service is not None:
            left += t(service.ref if service.project else service.name)
            left += t(f"  of {service.host}", "muted") if roomy(cells) else EMPTY
        if known is not None and known.error is not None:
            return heading(left, cells, shape("◌") + t(f" {units.age(now - known.read_at)} old", "warn"))
        if self.tab == "Environment" and self.environment.total and not narrow(cells):
            right = (
                t("enter", "text b")
                + t(" shows a value   ", "muted")
                + t(units.several(self.environment.total, "variable"), "muted")
            )
            return heading(left, cells, right)
        return heading(left, cells)

    def _nothing(self, cells: int) -> Sequence[Line]:
        service, known = self._service(), self.known
        if service is None:
            return wrap("A project is selected; a service of it has details.", cells - 4, "muted", 2)
        if not service.container:
            return wrap("It has no container: u brings it up from the running release.", cells - 4, "muted", 2)
        if known is None:
            return [gap(2) + t("asking the container engine", "faint")]
        if known.error is not None and known.detail is None:
            return [
                line
                for part in (known.error.what, known.error.why, known.error.hint)
                for line in wrap(part, cells - 4, "muted", 2)
            ]
        return wrap("It has no environment.", cells - 4, "muted", 2)

    def _body(self, cells: int, rows: int) -> Sequence[Line]:
        service, known, now = self._service(), self.known, self._cockpit.clock.now()
        if service is None or known is None or known.detail is None:
            return self._nothing(cells)
        room = cells if roomy(cells) else cells - 1
        if self.tab == "Health":
            lines = service_detail.health_lines(known.detail, now, room)
        else:
            past = self._cockpit.fleet.containers.past(service)
            lines = service_detail.detail_lines(service, known.detail, past, now, room)
        return [restyle(line, "faint") for line in lines] if known.error is not None else lines
