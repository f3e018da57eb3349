"""Getting to objects: by an address, to a neighbour of what is selected, and there to do something."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from cockpit.actions.catalog import BY_ID, Action, Context, Target
from cockpit.domain.errors import UsageError
from cockpit.domain.places import Place
from cockpit.tui.ink import Line, gap, t
from cockpit.tui.neighbours import LETTERS, Neighbours
from cockpit.tui.panes.service_rows import key_of
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

PANES = {"v": "vms", "h": "hosts", "g": "hosts", "s": "services", "r": "releases", "f": "files", "l": "services"}
"""Where `'` and a letter lead while nothing is selected."""
ARRIVES, LOOKS = 0.05, 100
"""Seconds between two looks whether the cursor is where it was sent, and how many of them."""


class Going:
    def __init__(self, main: MainScreen) -> None:
        self._main = main
        self._sought: tuple[Place, str] | None = None

    def open(self, text: str) -> None:
        """Goes to an object. UsageError where there is nothing of that name."""
        place = self._main.place(text)
        main = self._main

        async def go() -> None:
            await main.show_pane(place.pane)
            if main.pane is not None and place.row:
                main.pane.turn_to(place.row)
                self._sought = place, text  # from now on a row that does not come is missing
                if place.action:
                    main.call_after_refresh(main.carry_out, place.action)
            main.frame()

        main.call_later(go)

    def tick(self) -> None:
        """Says so where an object is not there although everything was read."""
        if self._sought is None:
            return
        place, name = self._sought
        pane = self._main.pane
        if pane is None or self._main.active != place.pane or not pane.waits:
            self._sought = None
        elif self._read():
            self._sought = None
            self._main.say(t(name, "text b") + t(" is not there", "warn"))

    def _read(self) -> bool:
        cockpit = self._main.cockpit
        tried = [o.latest for group in (cockpit.fleet.hosts, cockpit.fleet.services, cockpit.fleet.guests.clusters)
                 for o in group.values()]  # fmt: skip
        if self._main.active == "files":
            tried.append(cockpit.files.observer.latest)  # type: ignore[arg-type]
        return all(seen.value is not None or seen.error is not None for seen in tried)

    # neighbours

    def hint(self) -> Line:
        """The letters that may follow `'`; faint where they lead nowhere."""
        found = self._neighbours()
        line = t("go to", "muted")
        for letter, word in LETTERS.items():
            on = letter in PANES if not found.any else bool(found.to(letter).to)
            line += gap(2) + t(letter, "text b" if on else "faint") + t(f" {word}", "muted" if on else "faint")
        return line

    def neighbour(self, letter: str) -> None:
        found = self._neighbours()
        if letter not in LETTERS:
            return
        if not found.any:
            if letter in PANES:
                self._main.perform(f"pane.{PANES[letter]}")
            return
        led = found.to(letter)
        if not led.to:
            self._main.say(t(f"{LETTERS[letter]}: ", "muted") + t(led.why, "warn"))
        elif letter == "c":
            self.show_commit(led.to)
        elif letter == "u":
            self.browse(led.to)
        else:
            self.open(led.to)

    def _neighbours(self) -> Neighbours:
        return Neighbours(self._main.cockpit, self._main.context())

    def show_commit(self, sha: str) -> None:
        from cockpit.tui.screens.commit_facts import CommitFacts

        self._main.app.push_screen(CommitFacts(self._main, sha))

    def browse(self, url: str) -> None:
        """Copied too: over ssh there is no browser here, and a text browser would take the terminal."""
        app = self._main.app
        app.copy_to_clipboard(url)
        graphical = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        if graphical:
            app.open_url(url)
        self._main.say(t(url, "accent") + t("  opened and copied" if graphical else "  copied: no browser here", "muted"))

    # acting

    def meant(self, action: Action, target: str) -> Callable[[], object]:
        """An action of the command line, on what the cursor is on or on what an address names. UsageError."""
        if not target:
            return partial(self._main.perform, action.id)
        place = self._main.place(target)
        if action.target not in TARGETS:
            none = action.target in (Target.NONE, Target.PANE, Target.LINES)
            raise UsageError(f"{action.id} {'has no target' if none else 'acts on what the cursor is on'}", "", f":{action.id}")
        if not TARGETS[action.target](place):
            raise UsageError(f"{target} is no {action.target.value}", f"and {action.id} needs one")
        return partial(self.act, action.id, target)

    def act(self, action: str, text: str) -> None:
        """Goes to an object and does something with it, as soon as the cursor is on it and on nothing else."""
        main = self._main
        place = main.place(text)

        async def arrive() -> None:
            await main.show_pane(place.pane)
            pane = main.pane
            if pane is None:
                return
            pane.turn_to(place.row)
            for _ in range(LOOKS):
                if not pane.waits and on_it(place, main.context(), action.startswith("project.")):
                    main.frame()
                    main.perform(action)
                    return
                await asyncio.sleep(ARRIVES)
            context = main.context()
            several = bool(context.hosts) or len(context.guests) > 1 or (len(context.services) > 1 and not context.project)
            why = "rows are marked: space unmarks them" if several else "the cursor did not get there"
            main.say(t(f"{BY_ID[action].title}: ", "muted") + t(text, "text b") + t(f" was not touched, {why}", "warn"))

        work(main, arrive, "going")


TARGETS: Mapping[Target, Callable[[Place], bool]] = {
    Target.HOST: lambda place: place.pane == "hosts" and bool(place.key) and not place.generation,
    Target.GENERATION: lambda place: bool(place.generation),
    Target.SERVICE: lambda place: place.pane == "services" and bool(place.key) and not place.action,
    Target.GUEST: lambda place: place.pane == "vms" and bool(place.key),
    Target.RELEASE: lambda place: place.pane == "releases" and bool(place.key),
}
"""What an address has to be for an action to take it."""


def on_it(place: Place, context: Context, whole: bool = False) -> bool:
    """Whether an action would act on this object and on no other; `whole` for one that acts on projects."""
    match place.pane:
        case "hosts":
            number = context.generation.number if context.generation else None
            here = "test" if context.generation and number is None else str(number)
            return not context.hosts and context.host == place.key and (not place.generation or here == place.generation)
        case "services":
            if place.key.count("/") == 2:  # HOST//PROJECT
                wanted = place.key.replace("//", "/")
                mine = {f"{service.host}/{service.project}" for service in context.services}
                return context.project == wanted or (whole and mine == {wanted})
            return [key_of(service) for service in context.services] == [place.key] and not context.project
        case "vms":
            return [guest.ref for guest in context.guests] == [place.key]
        case "releases":
            return context.release is not None and context.release.run.startswith(place.key)
    return False
