"""Addresses, neighbours and the command line: getting to an object, and acting on it and on no other."""

from __future__ import annotations

import pytest

from cockpit.domain.errors import UsageError
from cockpit.tui.app import CockpitApp
from cockpit.tui.places import address_of
from tests.pilot.sample import sample
from tests.pilot.tools import MIDDLE, SMALL, Screen, opened, running


def here(screen: Screen) -> str:
    return address_of(screen.main.context())


async def typed(screen: Screen, words: str) -> None:
    await screen.press("colon")
    for letter in words:
        await screen.press({" ": "space", "/": "slash", "@": "at", ".": "full_stop", "-": "minus"}.get(letter, letter))
    await screen.press("enter")
    await screen.settle()


ADDRESSES = [
    ("edge", "hosts", "edge@87"),
    ("homelab@139", "hosts", "homelab@139"),
    ("edge@86", "hosts", "edge@86"),
    ("homelab/paperless/web", "services", "homelab/paperless/web"),
    ("homelab/paperless/web/logs", "services", "homelab/paperless/web/logs"),
    ("edge/proxy", "services", "edge/proxy"),
    ("home/108", "vms", "home/108"),
    ("release/5vk0b216", "releases", "release/5vk0b216"),
    ("5vk0b", "releases", "release/5vk0b216"),
    ("file/compose/core/compose.yaml", "files", "file/compose/core/compose.yaml"),
    ("releases", "releases", ""),
]


@pytest.mark.parametrize(("address", "pane", "found"), ADDRESSES, ids=[a for a, *_ in ADDRESSES])
async def test_cockpit_open_begins_on_the_object(address: str, pane: str, found: str) -> None:
    async with running(CockpitApp(sample(), at=address)) as screen:
        assert screen.main.active == pane
        if found == "edge@87":
            assert screen.main.context().host == "edge"
        elif found:
            assert here(screen) == found


@pytest.mark.parametrize("size", [MIDDLE, SMALL])
async def test_a_project_is_its_worst_service_where_projects_have_no_rows(size: tuple[int, int]) -> None:
    async with running(CockpitApp(sample(), at="homelab/paperless"), size=size) as screen:
        assert here(screen) == "homelab/paperless/worker"


@pytest.mark.parametrize("address", ["homelabb", "home/abc", "homelab/a/b/c/d", "hostz", ""])
def test_what_is_not_there_is_refused_before_anything_opens(address: str) -> None:
    if not address:
        return
    with pytest.raises(UsageError) as error:
        CockpitApp(sample(), at=address)
    assert error.value.hint


async def test_an_object_that_is_not_there_is_said_once_everything_was_read() -> None:
    async with running(CockpitApp(sample(), at="homelab/paperless/nobody")) as screen:
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
        assert here(screen) == "release/5vk3r218"
        await screen.press("apostrophe", "g")
        await screen.settle()
        assert here(screen) == "homelab@142"
        await screen.press("apostrophe", "r")
        await screen.settle()
        assert here(screen) == "release/5vk3r218"


async def test_the_commit_of_a_generation_tells_where_it_runs() -> None:
    async with running(CockpitApp(sample(), at="homelab@141")) as screen:
        await screen.press("apostrophe", "c")
        await screen.settle()
        assert "flake: update inputs" in screen.text and "Tasted twice" in screen.text
        assert "runs on      edge" in screen.text and "homelab@141, edge@87" in screen.text
        await screen.press("escape")
        assert "Tasted twice" not in screen.text


async def test_a_neighbour_that_is_not_there_says_why() -> None:
    async with running(CockpitApp(sample(), at="edge")) as screen:
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
    async with running(CockpitApp(sample(), at="home/108")) as screen:
        await screen.press("o")
        assert screen.app.clipboard == "https://10.20.0.2:8006/#v1:0:=qemu%2F108"
        await typed(screen, "release/5vk3r218")
        await screen.press("o")
        assert screen.app.clipboard.endswith("/actions/runs/1182")


async def test_the_copy_menu_has_the_address_and_the_command() -> None:
    async with running(CockpitApp(sample(), at="homelab/paperless/web")) as screen:
        await screen.press("ctrl+o", *["j"] * 20, "enter")
        await screen.settle()
        assert screen.app.clipboard == "cockpit open homelab/paperless/web"


# the command line


async def test_panes_themes_help_and_leaving() -> None:
    async with opened() as screen:
        await typed(screen, "services")
        assert screen.main.active == "services"
        await typed(screen, "1")
        assert screen.main.active == "overview"
        await typed(screen, "theme light")
        assert screen.app.skin.theme.value == "light"
        await typed(screen, "help")
        assert "Help" in screen.text
        await screen.press("escape")
        await typed(screen, "q")
        assert screen.app._exit


async def test_mistakes_are_told_with_the_nearest_and_the_line_stays() -> None:
    async with opened() as screen:
        await typed(screen, "servces")
        assert "did you mean services?" in screen.text and ":servces" in screen.text
        await screen.press("ctrl+u", *"theme", "space", *"pink", "enter")
        assert "there is no theme 'pink'" in screen.text
        await screen.press("ctrl+u", *"host", "full_stop", *"rollback", "space", *"edge", "enter")
        assert "edge is a host: host.rollback is for a generation" in screen.text
        await screen.press("escape")
        assert ":host" not in screen.text


async def test_tab_completes_and_up_recalls() -> None:
    async with opened() as screen:
        await typed(screen, "files")
        await screen.press("colon", *"serv", "tab")
        assert "services" in screen.text
        await screen.press("ctrl+u", *"theme", "space", *"con", "tab")
        assert ":theme contrast" in screen.text
        await screen.press("ctrl+u", "up")
        assert ":files" in screen.text
        await screen.press("ctrl+u", *"homelab@13", "tab", "tab", "enter", "enter")
        await screen.settle()
        assert here(screen) == "homelab@138"


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
