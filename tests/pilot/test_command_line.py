"""`:` and addresses."""

from __future__ import annotations

import pytest

from cockpit.domain.errors import UsageError
from cockpit.domain.places import Place, find
from cockpit.tui.app import CockpitApp
from tests.pilot.sample import sample
from tests.pilot.tools import Screen, opened

HOSTS, CLUSTERS = ("homelab", "edge"), ("home",)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("vms", Place("vms")),
        ("homelab", Place("hosts", "homelab")),
        ("homelab@141", Place("hosts", "homelab", generation="141")),
        ("homelab/paperless", Place("services", "homelab//paperless")),
        ("homelab/paperless/web", Place("services", "homelab/paperless/web/1")),
        ("homelab/paperless/web/2", Place("services", "homelab/paperless/web/2")),
        ("homelab/paperless/web/logs", Place("services", "homelab/paperless/web/1", "service.logs")),
        ("home/101", Place("vms", "home/101")),
        ("releases/5vk9z219", Place("releases", "5vk9z219")),
        ("files/compose/core/compose.yaml", Place("files", "compose/core/compose.yaml")),
        ("services/homelab/paperless", Place("services", "homelab//paperless")),
    ],
)
def test_addresses(address: str, place: Place) -> None:
    assert find(address, HOSTS, CLUSTERS) == place


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("homelap", "did you mean homelab?"),
        ("home/x", ""),
        ("homelab@x", "e.g. homelab@141"),
        ("homelab/logs", "homelab/PROJECT/logs"),
        ("", ""),
    ],
)
def test_what_leads_nowhere(address: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        find(address, HOSTS, CLUSTERS)
    assert hint in error.value.hint


KEYS = {" ": "space", "/": "slash", "@": "at", ".": "full_stop"}


async def said(screen: Screen, line: str) -> None:
    await screen.press("colon", *[KEYS.get(c, c) for c in line], "enter")
    await screen.settle()


async def test_it_goes_to_panes_and_objects() -> None:
    async with opened("hosts") as screen:
        await said(screen, "vms")
        assert screen.main.active == "vms"
        await said(screen, "homelab/paperless/web")
        assert screen.main.active == "services" and screen.main.pane is not None
        assert screen.main.pane.target() == "paperless/web" and screen.main.pane.address() == "homelab/paperless/web"
        await said(screen, "homelab@140")
        assert screen.main.active == "hosts" and screen.main.pane.target() == "homelab@140"


async def test_an_action_on_an_address_asks_what_its_key_asks() -> None:
    async with opened("overview") as screen:
        await said(screen, "service.restart homelab/paperless/web")
        assert screen.main.active == "services"
        assert "y does this once" in screen.text or "OUTAGE" in screen.text


async def test_a_wrong_word_is_told_and_stays_to_be_mended() -> None:
    async with opened("hosts") as screen:
        await said(screen, "servces")
        assert "cannot be done" in screen.text and "did you mean services?" in screen.text
        await screen.press("escape")
        await said(screen, "theme pink")
        assert "there is no theme 'pink'" in screen.text and "light" in screen.text


async def test_tab_completes_and_up_remembers() -> None:
    async with opened("hosts") as screen:
        await screen.press("colon", *"relea", "tab", "enter")
        await screen.settle()
        assert screen.main.active == "releases"
        await said(screen, "hosts")
        await screen.press("colon", "up", "up", "enter")
        await screen.settle()
        assert screen.main.active == "releases"
        await screen.press("colon", "backspace")
        await screen.settle()
        assert len(screen.app.screen_stack) == 1


async def test_it_opens_at_an_address_and_offers_it_to_copy() -> None:
    app = CockpitApp(sample(), place="home/100")
    async with app.run_test(size=(160, 50)) as pilot:
        screen = Screen(pilot, app)
        await screen.settle()
        assert screen.main.active == "vms" and screen.main.pane is not None and screen.main.pane.target() == "home/100"
        await screen.press("ctrl+o")
        assert "cockpit open home/100" in screen.text
        await app.cockpit.close()
