"""The main screen: tabs, one pane, footer; and where every key goes."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import Protocol, cast

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import BY_ID, EDITOR, EVERYWHERE, WHILE_TYPING, Context, possible
from cockpit.domain.places import Place, find
from cockpit.domain.plan import Tier
from cockpit.domain.settings import Theme
from cockpit.tui.commands import Command, available, target_of, tier_mark
from cockpit.tui.conduct import Conductor
from cockpit.tui.going import Going
from cockpit.tui.ink import EMPTY, Line, t
from cockpit.tui.keymap import Keymap
from cockpit.tui.overview import worst_of_all
from cockpit.tui.panes.base import Pane
from cockpit.tui.widgets.footer import Footer, Hint, dimmed
from cockpit.tui.widgets.surface import Handlers, Surface, narrow, wide
from cockpit.tui.widgets.tab_bar import PANES, TabBar

_CLASSES = {name: f"{name.capitalize()}Pane" for name in PANES} | {"vms": "VmsPane"}
_ONCE = t("   read-only: ", "muted") + t("y", "text b") + t(" does this once", "muted")


class Themed(Protocol):
    def choose_theme(self, theme: Theme) -> None: ...


class MainScreen(Screen[None], inherit_bindings=False):
    def __init__(self, cockpit: Cockpit, keymap: Keymap, start: str) -> None:
        super().__init__()
        self.cockpit = cockpit
        self.keymap = keymap
        self.conductor = Conductor(cockpit, self)
        self.going = Going(self)
        self.tabs = TabBar()
        self.tabs.active = start
        self.footer = Footer()
        self.footer.tail = {name: keymap.label(name) for name in ("app.menu", "app.help", "app.palette")}
        self.body = Widget(id="body")
        self.panes: dict[str, Pane] = {}
        self.commands_typed: list[str] = []
        """Of the command line, oldest first."""
        self.active = start
        self._pending = ""
        self._once: str | None = None
        self._asked: asyncio.Future[bool] | None = None
        self._leaving = False
        self._unsaved = ""

    def compose(self) -> ComposeResult:
        yield self.tabs
        yield self.body
        yield self.footer

    async def on_mount(self) -> None:
        fleet = self.cockpit.fleet
        for facts in fleet.hosts.values():
            facts.listen(lambda seen: self.frame())
        for services in fleet.services.values():
            services.listen(lambda seen: self.frame())
        for cluster in fleet.guests.clusters.values():
            cluster.listen(lambda seen: self.frame())
        fleet.tree.listen(lambda seen: self.frame())
        fleet.tree.show(True)
        self.set_interval(1.0, self.tick)
        await self.show_pane(self.active)

    @property
    def pane(self) -> Pane | None:
        return self.panes.get(self.active)

    async def show_pane(self, name: str) -> None:
        """Mounts a pane on its first visit."""
        if (before := self.pane) is not None and name != self.active:
            before.shown(False)
            before.display = False
        self.active = name
        pane = self.panes.get(name)
        first = pane is None
        if pane is None:
            pane = self.panes[name] = self.make(name)
            pane.set_class(wide(self.size.width), "wide")
            await self.body.mount(pane)
        pane.display = True
        pane.shown(True)
        surface = pane.first_focus
        if surface is not None and (first or pane.focused is None):
            surface.focus()
        self.frame()

    def visit(self, name: str, key: str, action: str | None = None) -> None:
        """Goes to an object of a pane, and does something with it."""

        async def go() -> None:
            await self.show_pane(name)
            if self.pane is not None:
                if key:
                    self.pane.turn_to(key)
                if action is not None:
                    self.call_after_refresh(self.carry_out, action)
            self.frame()

        self.call_later(go)

    def place(self, address: str) -> Place:
        """UsageError where nothing is there."""
        return find(address, self.cockpit.settings.hosts, self.cockpit.fleet.guests.clusters)

    def go_to(self, address: str) -> None:
        """UsageError where nothing is there."""
        self.going.open(address)

    def timeline(self) -> None:
        """What changed, from wherever the question comes."""

        async def go() -> None:
            from cockpit.tui.panes.overview import OverviewPane

            await self.show_pane("overview")
            if isinstance(self.pane, OverviewPane):
                self.pane.open_timeline()
            self.frame()

        self.call_later(go)

    def make(self, name: str) -> Pane:
        kind = getattr(import_module(f"cockpit.tui.panes.{name}"), _CLASSES[name])
        return cast(Pane, kind(self.cockpit))

    # frame

    def tick(self) -> None:
        if (pane := self.pane) is not None and self.app.screen is self:
            pane.tick()
        self.going.tick()
        self.frame()

    def frame(self) -> None:
        """Tabs and footer as they are now."""
        if not self.is_mounted:
            return
        now = self.cockpit.clock.now()
        until = self.cockpit.gate.armed_until
        self.tabs.active = self.active
        self.tabs.git_tree = self.cockpit.fleet.tree.latest.value
        self.tabs.observes = self.cockpit.gate.observes
        self.tabs.armed_left = None if until is None else until - now
        self.tabs.worst = worst_of_all(self.cockpit)
        self.tabs.redraw()
        self.footer.hints = self.hints()
        self.footer.redraw()

    def hints(self) -> list[Hint]:
        armed = self.cockpit.gate.armed
        out = []
        context = self.context()
        self.footer.typing = context.focus == EDITOR
        for action, reason in available(context):
            if self.footer.typing and EVERYWHERE in action.contexts and action.id not in WHILE_TYPING:
                continue
            if action.footer and reason is None and action.id not in self.footer.tail:
                out.append(
                    Hint(action.id, self.keymap.label(action.id), action.verb, tier_mark(action.tier), dimmed(action.tier, armed))
                )
        if self.footer.typing:
            names = {"app.palette": "palette", "app.back": "back to the tree"}
            out += [Hint(name, self.keymap.label(name), word) for name, word in names.items()]
        return out

    def say(self, line: Line) -> None:
        """One line in the footer, until the next key."""
        self.footer.message = line
        self.footer.redraw()

    async def ask_once(self, question: Line) -> bool:
        """One line in the footer; True when the next key is `y`. A second question takes the place of the first."""
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(False)
        asked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked = asked
        self.say(question + _ONCE)
        return await asked

    def on_resize(self) -> None:
        self.set_class(narrow(self.size.width), "narrow")
        for pane in self.panes.values():
            pane.set_class(wide(self.size.width), "wide")
        self.frame()

    def on_descendant_focus(self) -> None:
        self.frame()

    def on_row_table_moved(self) -> None:
        self.frame()

    # keys

    def context(self) -> Context:
        """What an action would act on now."""
        context = self.pane.context() if self.pane else Context()
        return replace(context, observes=True) if self.cockpit.gate.observes else context

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        focused = self.focused
        asking = self._asked is not None or self._once is not None
        if isinstance(focused, Surface) and focused.captures and not asking and event.key not in ("ctrl+c", "ctrl+q"):
            self.footer.message = EMPTY
            focused.capture(event)
            self.frame()
            return
        self.press(event.key)
        self.frame()

    def press(self, key: str) -> None:
        once, self._once = self._once, None
        leaving, self._leaving = self._leaving, False
        pending, self._pending = self._pending, ""
        self.footer.message = EMPTY
        if key == "ctrl+c":
            self._leaving = True
            self.leave() if leaving else self.say(
                t("ctrl+c", "text b") + t(" again leaves cockpit; what runs on hosts goes on", "muted")
            )
            return
        if (asked := self._asked) is not None:
            self._asked = None
            if not asked.done():
                asked.set_result(key == "y")
            return
        if once is not None:
            if key == "y":
                self.cockpit.gate.allow_once(once)
                self.carry_out(once)
            return
        if pending == "'":
            self.going.neighbour(key)
            return
        focus = self.context().focus
        pressed = f"{pending} {key}" if pending else key
        if action := self.keymap.resolve(focus, pressed):
            self.perform(action)
        elif key == "apostrophe":
            self._pending = "'"
            self.say(self.going.hint())
        elif self.keymap.begins(focus, pressed):
            self._pending = pressed

    def perform(self, action: str) -> bool:
        """Does an action of the catalogue, or says why not."""
        entry = BY_ID[action]
        if (reason := possible(entry, self.context())) is not None and not action.startswith("pane."):
            self.say(t(f"{entry.title}: ", "muted") + t(reason, "warn"))
            return False
        if entry.tier is Tier.REVERSIBLE and not entry.planned and not self.cockpit.gate.armed:
            self._once = action
            target = self.pane.target() if self.pane else ""
            self.say(t(entry.title, "text b") + t(f" {target}", "text") + _ONCE)
            return False
        return self.carry_out(action)

    def carry_out(self, action: str) -> bool:
        for handlers in self.chain():
            if (do := handlers.get(action)) is not None:
                do()
                return True
        return False

    def chain(self) -> list[Handlers]:
        focused, pane = self.focused, self.pane
        own = focused.handlers() if isinstance(focused, Surface) else {}
        return [own, pane.handlers() if pane else {}, self.conductor.handlers(), self.handlers()]

    def handlers(self) -> Handlers:
        panes: Handlers = {f"pane.{name}": partial(self.call_later, self.show_pane, name) for name in PANES}
        return {
            **panes,
            "focus.next": lambda: self.turn(1),
            "focus.previous": lambda: self.turn(-1),
            "app.help": lambda: self.open_over("help", "HelpScreen"),
            "app.command": lambda: self.open_over("command", "CommandScreen"),
            "app.palette": lambda: self.open_over("palette", "PaletteScreen"),
            "app.menu": lambda: self.open_over("menu", "MenuScreen"),
            "app.journal": lambda: self.open_over("journal", "JournalScreen"),
            "app.doctor": lambda: self.open_over("doctor", "DoctorScreen"),
            "app.copy": lambda: self.open_over("copy", "CopyScreen"),
            "app.timeline": self.timeline,
            "app.back": lambda: self.say(EMPTY),
            "service.logs": lambda: self.going.neighbour("l"),
            "app.url": lambda: self.going.neighbour("u"),
            "app.zoom_in": lambda: self.pane.zoom(True) if self.pane else None,
            "app.zoom_out": lambda: self.pane.zoom(False) if self.pane else None,
            "app.arm": self.arm,
            "app.refresh": self.reread,
            "app.close": self.leave,
            "app.quit": self.leave,
        }

    def commands(self) -> list[Command]:
        """Everything that can be asked for now, with the reason where it cannot."""
        context, target = self.context(), self.pane.target() if self.pane else ""
        return [
            Command(
                action,
                self.keymap.label(action.id),
                target_of(action, context, target),
                reason,
                partial(self.perform, action.id),
            )
            for action, reason in available(context)
        ]

    def open_over(self, module: str, kind: str) -> None:
        screen = getattr(import_module(f"cockpit.tui.screens.{module}"), kind)
        self.app.push_screen(screen(self))

    def choose_theme(self, theme: Theme) -> None:
        """Other colours for this session."""
        app = cast(Themed, self.app)
        app.choose_theme(theme)

    def turn(self, step: int) -> None:
        if self.pane is None:
            return
        stops = [w for w in self.pane.query(Surface) if w.display and w.focusable]
        if stops:
            at = stops.index(self.focused) if self.focused in stops else -step
            stops[(at + step) % len(stops)].focus()

    def arm(self) -> None:
        gate = self.cockpit.gate
        if gate.armed_until is not None:
            gate.disarm()
        else:
            gate.arm()

    def reread(self) -> None:
        fleet = self.cockpit.fleet
        for facts in fleet.hosts.values():
            facts.poke()
        for services in fleet.services.values():
            services.poke()
        for cluster in fleet.guests.clusters.values():
            cluster.poke()
        fleet.tree.poke()

    def leave(self) -> None:
        """Not before what is not saved was asked about once."""
        unsaved = next((path for pane in self.panes.values() if (path := pane.unsaved())), "")
        if unsaved and self._unsaved != unsaved:
            self._unsaved = unsaved
            self.say(t(unsaved, "text b") + t(" is not saved; once more leaves without it", "warn"))
            return
        self.app.exit(0)
