"""Services from the keyboard: every action of its room, what it asks, its tabs, and what is shown of secrets."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import cast

import pytest

from cockpit.actions.catalog import services as room
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Unreachable
from cockpit.domain.plan import Change, ServiceChange
from cockpit.domain.services import State
from cockpit.tui.panes.services import ServicesPane
from tests.pilot.sample_services import SampleEngine, SampleHost
from tests.pilot.tools import MIDDLE, SMALL, WIDE, Screen, opened

START, STOP, RESTART, UP, PULL, DOWN = Lifecycle


def pane(screen: Screen) -> ServicesPane:
    found = screen.main.pane
    assert isinstance(found, ServicesPane)
    return found


def engine(screen: Screen) -> SampleEngine:
    return screen.fleet.engines["homelab"]


def host(screen: Screen) -> SampleHost:
    return cast(SampleHost, screen.cockpit.services._hosts["homelab"])


async def on(screen: Screen, ref: str) -> None:
    pane(screen).turn_to(f"homelab/{ref}/1" if "/" in ref else f"homelab//{ref}")
    await screen.settle()


async def until_done(screen: Screen) -> None:
    for run in screen.cockpit.runs.list():
        await run.wait()
    await screen.settle()


def changed(screen: Screen) -> list[tuple[str, Lifecycle]]:
    names = {s.container: s.ref for s in engine(screen).all}
    return [(names[container], verb) for container, verb in engine(screen).changed]


async def test_every_action_of_the_room_does_something_here() -> None:
    async with opened("services") as screen:
        known = {**screen.main.conductor.handlers(), **pane(screen).handlers(), **pane(screen).logs.handlers()}
        assert {a.id for a in room.ACTIONS} <= set(known)


@pytest.mark.parametrize("armed", [True, False])
async def test_a_restart_of_an_ordinary_service(armed: bool) -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press(*("W" if armed else ""), "r")
        await screen.settle()
        if not armed:
            assert "y does this once" in screen.rows[-1] and not changed(screen)
            await screen.press("y")
        await until_done(screen)
        assert changed(screen) == [("paperless/web", RESTART)]
        assert screen.rows[-1].startswith(" ● homelab/paperless/web: restarted, healthy")


@pytest.mark.parametrize(("key", "ref", "verb"), [("ctrl+x", "paperless/web", STOP), ("r", "core/traefik", RESTART)])
@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_what_interrupts_asks_by_a_dialog(key: str, ref: str, verb: Lifecycle, size: tuple[int, int]) -> None:
    async with opened("services", size) as screen:
        await on(screen, ref)
        await screen.press("W", key)
        await screen.settle()
        assert "OUTAGE" in screen.text and ref in screen.text and not changed(screen)
        await screen.press("enter")
        await screen.settle()
        assert not changed(screen)
        await screen.press(key)
        await screen.settle()
        await screen.press("y")
        await until_done(screen)
        assert changed(screen) == [(ref, verb)]


async def test_a_stopped_service_starts_and_a_running_one_says_why_not() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("S")
        assert "it runs already" in screen.rows[-1]
        engine(screen).set("web", state=State.EXITED, exit_code=0)
        screen.fleet.take("homelab")
        await screen.settle()
        await screen.press("s")
        assert "it does not run" in screen.rows[-1]
        await screen.press("W", "S")
        await until_done(screen)
        assert changed(screen) == [("paperless/web", START)]


async def test_marked_services_are_acted_on_together() -> None:
    async with opened("services") as screen:
        for ref in ("paperless/web", "paperless/db"):
            await on(screen, ref)
            await screen.press("space")
        await screen.press("W", "r")
        await until_done(screen)
        assert changed(screen) == [("paperless/db", RESTART), ("paperless/web", RESTART)]
        assert "and 1 more" in screen.rows[-1]


async def test_a_project_under_the_cursor() -> None:
    async with opened("services") as screen:
        await on(screen, "miniflux")
        await screen.press("W", "r")
        await until_done(screen)
        assert {ref for ref, _ in changed(screen)} == {"miniflux/app", "miniflux/db"}
        await screen.press("X")
        await screen.settle()
        assert "OUTAGE" in screen.text and "Down miniflux on homelab" in screen.text and "volumes are kept" in screen.text
        await screen.press("y")
        await until_done(screen)
        assert host(screen).composed == [(DOWN, "miniflux", "")] and "miniflux" not in "".join(screen.rows[5:30])


async def test_up_and_pull() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("W", "u")
        await until_done(screen)
        assert "runs as the release says" in screen.rows[-1] and not host(screen).composed
        host(screen).wants["paperless/web"] = ServiceChange("paperless", "web", Change.RECREATE, "image")
        await screen.press("u")
        await until_done(screen)
        await screen.press("P")
        await until_done(screen)
        assert "a newer image for web: u takes it" in screen.rows[-1]
        host(screen).wants["core/traefik"] = ServiceChange("core", "traefik", Change.RECREATE, "config")
        await on(screen, "core/socket-proxy")
        await screen.press("U")
        await screen.settle()
        assert "OUTAGE" in screen.text and "publishes 80 and 443" in screen.text
        await screen.press("y")
        await until_done(screen)
        assert host(screen).composed == [(UP, "paperless", "web"), (PULL, "paperless", "web"), (UP, "core", "")]


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_the_tabs(size: tuple[int, int]) -> None:
    async with opened("services", size) as screen:
        await on(screen, "paperless/web")
        await screen.press("d")
        await screen.settle()
        assert "127.0.0.1:8000" in screen.text and "policy unless-stopped" in screen.text and "hunter2" not in screen.text
        await screen.press("right_square_bracket")
        await screen.settle()
        assert "PAPERLESS_URL" in screen.text and "docs.lab.example.org" not in "".join(screen.rows[-12:-1])
        await screen.press("right_square_bracket")
        await screen.settle()
        assert "curl -fs" in screen.text and "exit 0" in screen.text
        await screen.press("right_square_bracket")
        await screen.settle()
        assert "GET /api/ui_settings/" in screen.text
        await screen.press("escape")
        assert pane(screen).focused is pane(screen).services


async def test_details_are_read_only_while_they_show() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        assert engine(screen).looks == 0
        await screen.press("right_square_bracket")
        await screen.settle()
        assert engine(screen).looks == 1
        await screen.press("3")
        await screen.settle()
        screen.fleet.services["homelab"].poke()
        await screen.settle()
        assert engine(screen).looks == 1


async def test_a_value_shows_for_a_while_and_hides_when_one_looks_elsewhere() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("E", "G")
        await screen.settle()
        assert "hunter2" not in screen.text
        await screen.press("enter")
        assert "hunter2" in screen.text and "\x1b" not in screen.text and "hides in 10s" in screen.text
        assert ("value of TOKEN", "hunter2\x1b[2J") in pane(screen).copies()
        await screen.press("escape", "j")
        await screen.settle()
        await screen.press("k")
        await screen.settle()
        assert "hunter2" not in screen.text and not any("value of" in name for name, _ in pane(screen).copies())


async def test_details_that_cannot_be_read_keep_the_last_ones() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("d")
        await screen.settle()
        engine(screen).errors["container"] = [Unreachable("the container engine of homelab does not answer")] * 9
        screen.fleet.services["homelab"].poke()
        await screen.settle()
        assert "127.0.0.1:8000" in screen.text and " old" in screen.text


async def test_a_shell_asks_once_and_says_where_it_cannot_be() -> None:
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("s")
        assert "y does this once" in screen.rows[-1]
        await screen.press("y")
        await screen.settle()
        assert "cannot be handed over" in screen.rows[-1]
        assert any("docker exec -it" in text for name, text in pane(screen).copies() if name == "shell")


async def test_a_url_is_copied_where_there_is_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("o")
        assert "https://docs.lab.example.org/  copied: no browser here" in screen.rows[-1]
        await on(screen, "paperless/db")
        await screen.press("o")
        assert "no label of it names a URL" in screen.rows[-1]


async def test_its_compose_file_opens_in_files() -> None:
    async with opened("services") as screen:
        await on(screen, "core/traefik")
        await screen.press("e")
        assert "cockpit.yaml names no such project" in screen.rows[-1]
        await on(screen, "paperless/web")
        await screen.press("e")
        await screen.settle()
        assert screen.main.active == "files" and "compose/paperless/compose.yaml" in screen.text


async def test_since_marker_and_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened("services") as screen:
        await on(screen, "paperless/web")
        await screen.press("l", "M")
        await screen.settle()
        assert "marker 1, 14:07" in screen.text or "marker 1, " in screen.text
        await screen.press("T")
        await screen.settle()
        assert "since 1h" in screen.text
        await screen.press("ctrl+s")
        await screen.settle()
        (file,) = tmp_path.iterdir()
        assert file.name in screen.rows[-1] and "GET /api/ui_settings/" in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
