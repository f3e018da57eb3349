"""Getting to an object by its address and to its neighbours, and acting on it and on no other."""

from __future__ import annotations

import pytest

from cockpit.tui.app import CockpitApp
from tests.pilot.sample import sample
from tests.pilot.tools import MIDDLE, SMALL, WIDE, Screen, opened, running


def here(screen: Screen) -> str:
    return screen.main.pane.address() if screen.main.pane else ""


async def typed(screen: Screen, words: str) -> None:
    await screen.press("colon")
    for letter in words:
        await screen.press({" ": "space", "/": "slash", "@": "at", ".": "full_stop", "-": "minus"}.get(letter, letter))
    await screen.press("enter")
    await screen.settle()


OPENED = [
    ("edge", "hosts", ""),
    ("homelab@139", "hosts", "homelab@139"),
    ("edge@86", "hosts", "edge@86"),
    ("homelab/paperless/web", "services", "homelab/paperless/web"),
    ("homelab/paperless/web/logs", "services", "homelab/paperless/web/logs"),
    ("edge/proxy", "services", "edge/proxy"),
    ("home/108", "vms", "home/108"),
    ("release/5vk0b216", "releases", "releases/5vk0b216"),
    ("5vk0b", "releases", "releases/5vk0b216"),
    ("file/compose/core/compose.yaml", "files", "files/compose/core/compose.yaml"),
    ("releases", "releases", ""),
]


@pytest.mark.parametrize(("address", "pane", "found"), OPENED, ids=[a for a, *_ in OPENED])
async def test_it_begins_on_the_object(address: str, pane: str, found: str) -> None:
    async with running(CockpitApp(sample(), place=address)) as screen:
        assert screen.main.active == pane
        if found:
            assert here(screen) == found
        if address == "edge":
            assert screen.main.context().host == "edge"


@pytest.mark.parametrize("size", [MIDDLE, SMALL])
async def test_a_project_is_its_worst_service_where_projects_have_no_rows(size: tuple[int, int]) -> None:
    async with running(CockpitApp(sample(), place="homelab/paperless"), size=size) as screen:
        assert here(screen) == "homelab/paperless/worker"


async def test_an_object_that_is_not_there_is_said_once_everything_was_read() -> None:
    async with running(CockpitApp(sample(), place="homelab/paperless/nobody")) as screen:
        screen.main.tick()
        await screen.pilot.pause()
        assert "homelab/paperless/nobody is not there" in screen.rows[-1]


async def test_neighbours_both_ways() -> None:
    async with opened("vms") as screen:
        await typed(screen, "home/100")
        await screen.press("apostrophe")
        assert "go to" in screen.rows[-1] and "h host" in screen.rows[-1]
        await screen.press("h")
        await screen.settle()
        assert screen.main.active == "hosts" and screen.main.context().host == "homelab"
        await screen.press("apostrophe", "v")
        await screen.settle()
        assert here(screen) == "home/100"
        await screen.press("apostrophe", "s")
        await screen.settle()
        assert here(screen) == "homelab/paperless/worker"
        await screen.press("apostrophe", "l")
        await screen.settle()
        assert here(screen) == "homelab/paperless/worker/logs"
        await screen.press("apostrophe", "r")
        await screen.settle()
        assert here(screen) == "releases/5vk3r218"
        await screen.press("apostrophe", "g")
        await screen.settle()
        assert here(screen) == "homelab@142"
        await screen.press("apostrophe", "r")
        await screen.settle()
        assert here(screen) == "releases/5vk3r218"


async def test_the_commit_of_a_generation_tells_where_it_runs() -> None:
    async with running(CockpitApp(sample(), place="homelab@141")) as screen:
        await screen.press("apostrophe", "c")
        await screen.settle()
        assert "flake: update inputs" in screen.text and "Tasted twice" in screen.text
        assert "runs on      edge" in screen.text and "homelab@141, edge@87" in screen.text
        await screen.press("escape")
        assert "Tasted twice" not in screen.text


async def test_a_neighbour_that_is_not_there_says_why() -> None:
    async with running(CockpitApp(sample(), place="edge")) as screen:
        await screen.press("apostrophe", "v")
        assert "`guest` of edge in cockpit.yaml would name its VM" in screen.rows[-1]
        await screen.press("apostrophe", "u")
        assert "it has no URL" in screen.rows[-1]


async def test_a_problem_of_overview_has_the_neighbours_of_its_object() -> None:
    async with opened("overview") as screen:
        await screen.press("apostrophe", "h")
        await screen.settle()
        assert screen.main.active == "hosts" and screen.main.context().host == "homelab"


async def test_urls_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    async with running(CockpitApp(sample(), place="home/108")) as screen:
        await screen.press("o")
        assert screen.app.clipboard == "https://10.20.0.2:8006/#v1:0:=qemu%2F108"
        await typed(screen, "releases/5vk3r218")
        await screen.press("o")
        assert screen.app.clipboard.endswith("/actions/runs/1182")


async def test_the_copy_menu_has_the_address_and_the_command() -> None:
    async with running(CockpitApp(sample(), place="homelab/paperless/web")) as screen:
        await screen.press("ctrl+o", *["j"] * 20, "enter")
        await screen.settle()
        assert screen.app.clipboard == "cockpit open homelab/paperless/web"


# actions with a target


async def test_a_target_of_another_kind_is_refused() -> None:
    async with opened() as screen:
        await typed(screen, "host.rollback edge")
        assert "edge is no generation" in screen.text
        await screen.press("ctrl+u", *"guest", "full_stop", *"start", "space", *"edge", "enter")
        assert "edge is no guest" in screen.text


@pytest.mark.parametrize("size", [WIDE, MIDDLE])
async def test_a_whole_project_is_meant_at_every_size(size: tuple[int, int]) -> None:
    async with opened("files", size=size) as screen:
        await typed(screen, "project.down homelab/core")
        await screen.settle()
        assert "OUTAGE" in screen.text and "core" in screen.text and "was not touched" not in screen.text


async def test_an_action_with_a_target_acts_on_it_after_asking() -> None:
    async with opened("files") as screen:
        await typed(screen, "host.rollback edge@86")
        await screen.settle()
        assert "OUTAGE" in screen.text and "edge" in screen.text and "86" in screen.text
        assert not screen.rollback.applied
        await screen.press("y")
        await screen.settle()
        assert [h.host for h in screen.rollback.applied[0].hosts] == ["edge"]


async def test_an_action_never_acts_on_other_objects_than_the_one_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.tui.going.LOOKS", 4)
    async with opened("vms") as screen:
        await screen.settle()
        await screen.press("space", "space")
        await typed(screen, "guest.stop home/108")
        await screen.settle()
        assert "was not touched, rows are marked" in screen.rows[-1]
        await typed(screen, "guest.stop home/999")
        await screen.settle()
        assert "was not touched" in screen.rows[-1]
        assert screen.fleet.hypervisor.changes == []
