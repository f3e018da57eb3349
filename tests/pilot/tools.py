"""What pilot tests share: the sample app, and its screen as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from textual.pilot import Pilot

from cockpit.actions.bundle import Cockpit
from cockpit.domain.settings import UserSettings
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.main import MainScreen
from tests.pilot.sample import SampleFleet, SampleRollback, sample

WIDE, MIDDLE, SMALL = (160, 50), (80, 24), (45, 20)
SETTLED = 0.3
"""Longer than the pane waits before it fetches what the cursor rests on."""
READS = {"addresses", "against", "commit", "detail", "diff", "open", "text"}
"""Groups of background work that ends by itself."""


class Screen:
    """One running sample app."""

    def __init__(self, pilot: Pilot[int], app: CockpitApp) -> None:
        self.pilot = pilot
        self.app = app

    @property
    def cockpit(self) -> Cockpit:
        return self.app.cockpit

    @property
    def fleet(self) -> SampleFleet:
        return cast(SampleFleet, self.cockpit.fleet)

    @property
    def rollback(self) -> SampleRollback:
        return cast(SampleRollback, self.cockpit.rollback)

    @property
    def main(self) -> MainScreen:
        return cast(MainScreen, self.app.screen_stack[0])

    @property
    def rows(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def shows(self, text: str) -> None:
        """Until the screen says it; what is read a while after the cursor rests comes when the machine has time for it."""
        for _ in range(200):
            if text in self.text:
                return
            await self.pilot.pause(0.05)
        raise AssertionError(f"{text!r} is not in\n{self.text}")

    async def settle(self) -> None:
        await self.pilot.pause(SETTLED)
        for _ in range(40):  # a busy machine takes longer; a system that hangs is what some tests are about
            if not any(w.is_running and w.group.partition(" ")[0] in READS for w in self.app.workers):
                break
            await self.pilot.pause(0.05)
        await self.pilot.pause()


@asynccontextmanager
async def opened(
    pane: str = "hosts", size: tuple[int, int] = WIDE, cockpit: Cockpit | None = None, user: UserSettings | None = None
) -> AsyncIterator[Screen]:
    async with running(CockpitApp(cockpit or sample(user), start=pane), size) as screen:
        yield screen


@asynccontextmanager
async def running(app: CockpitApp, size: tuple[int, int] = WIDE) -> AsyncIterator[Screen]:
    async with app.run_test(size=size) as pilot:
        screen = Screen(pilot, app)
        await screen.settle()
        yield screen
        for surface in app.screen_stack[0].query("*"):
            surface.workers.cancel_node(surface)
        await app.cockpit.close()
