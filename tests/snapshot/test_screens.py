"""Every screen at the three sizes. `pytest tests/snapshot --snapshot-update` after looking at the change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from textual.app import App
from textual.pilot import Pilot

from cockpit.domain.settings import Theme, UserSettings
from cockpit.tui.app import CockpitApp
from cockpit.tui.panes.services import ServicesPane
from cockpit.tui.screens.main import MainScreen
from tests.pilot.sample import sample

SIZES = [(160, 50), (80, 24), (45, 20)]


class Compare(Protocol):
    def __call__(
        self, app: App[int], *, terminal_size: tuple[int, int], run_before: Callable[[Pilot[int]], Awaitable[None]]
    ) -> bool: ...


QUIET = 4
"""Looks in a row, a tenth of a second apart, at which nothing new is on the screen: longer than a pane waits before it reads."""


def after(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    """Each key is pressed when the one before has done all that it does; a move needs no such rest."""

    async def run(pilot: Pilot[int]) -> None:
        await quiet(pilot)
        for key in keys:
            if key not in ("j", "space"):
                await quiet(pilot)
            await pilot.press(key)
        await quiet(pilot)

    return run


async def quiet(pilot: Pilot[int]) -> None:
    same, before = 0, ""
    for _ in range(200):
        strips = pilot.app.screen._compositor.render_strips()
        now = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        same, before = (same + 1 if now == before else 0), now
        if same >= QUIET:
            return
        await pilot.pause(0.1)
    raise AssertionError("the screen never came to rest")


async def until(pilot: Pilot[int], reached: Callable[[], bool]) -> None:
    """A machine that is busy draws later."""
    for _ in range(100):
        if reached():
            return
        await pilot.pause(0.05)
    raise AssertionError("the screen never came this far")


def identified(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=identified)
@pytest.mark.parametrize("pane", ["overview", "hosts", "services", "releases"])
def test_pane(snap_compare: Compare, pane: str, size: tuple[int, int]) -> None:
    assert snap_compare(CockpitApp(sample(), start=pane), terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", SIZES, ids=identified)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("help", ["question_mark"]),
        ("palette", ["ctrl+p", "r", "o"]),
        ("dialog", ["b"]),
        ("menu", ["m"]),
        ("doctor", ["exclamation_mark"]),
    ],
)
def test_over_hosts(snap_compare: Compare, name: str, keys: list[str], size: tuple[int, int]) -> None:
    assert snap_compare(CockpitApp(sample(), start="hosts"), terminal_size=size, run_before=after(*keys))


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.CONTRAST], ids=lambda t: t.value)
def test_theme(snap_compare: Compare, theme: Theme) -> None:
    app = CockpitApp(sample(UserSettings(theme=theme)), start="hosts")
    assert snap_compare(app, terminal_size=(160, 50), run_before=after())


def test_ascii(snap_compare: Compare) -> None:
    app = CockpitApp(sample(UserSettings(ascii=True)), start="hosts")
    assert snap_compare(app, terminal_size=(160, 50), run_before=after())


@pytest.mark.parametrize("size", SIZES, ids=identified)
@pytest.mark.parametrize(
    ("name", "keys"), [("summary", []), ("snapshots", ["t"]), ("tasks", ["l"]), ("rollback", ["t", "b"]), ("stop", ["X"])]
)
def test_vms(snap_compare: Compare, name: str, keys: list[str], size: tuple[int, int]) -> None:
    at_minio = [*"jjjj", "j"] if name != "stop" else []
    app = CockpitApp(sample(), start="vms")
    assert snap_compare(app, terminal_size=size, run_before=after(*at_minio, *keys))


def test_detail_at_45(snap_compare: Compare) -> None:
    assert snap_compare(CockpitApp(sample(), start="hosts"), terminal_size=(45, 20), run_before=after("enter"))


@pytest.mark.parametrize("size", SIZES, ids=identified)
def test_files(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(CockpitApp(sample(), start="files"), terminal_size=size, run_before=after(*["j"] * 6))


@pytest.mark.parametrize("size", SIZES, ids=identified)
def test_secret_in_the_editor(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[int]) -> None:
        await pilot.pause(0.4)
        main = pilot.app.screen_stack[0]
        assert isinstance(main, MainScreen)
        main.panes["files"].turn_to("secrets/homelab/paperless.yaml")
        await after("enter", "down", "down", "down", "end", "x")(pilot)

    assert snap_compare(CockpitApp(sample(), start="files"), terminal_size=size, run_before=run)


def test_merged_logs(snap_compare: Compare) -> None:
    keys = ["space"] * 4
    assert snap_compare(CockpitApp(sample(), start="services"), terminal_size=(160, 50), run_before=after(*keys))


@pytest.mark.parametrize("size", SIZES, ids=identified)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("details", ["d"]),
        ("environment", ["E", "enter"]),
        ("health", ["d", "right_square_bracket", "right_square_bracket"]),
        ("stop", ["ctrl+x"]),
    ],
)
def test_services(snap_compare: Compare, name: str, keys: list[str], size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[int]) -> None:
        await pilot.pause(0.4)
        main = pilot.app.screen_stack[0]
        assert isinstance(main, MainScreen)
        pane = main.panes["services"]
        assert isinstance(pane, ServicesPane)
        pane.turn_to("homelab/paperless/web/1")
        await until(pilot, lambda: pane.service is not None and pane.service.service == "web")
        await after(*keys)(pilot)
        await until(pilot, lambda: name == "stop" or pane.below.known is not None)
        await pilot.pause(0.2)

    assert snap_compare(CockpitApp(sample(), start="services"), terminal_size=size, run_before=run)
