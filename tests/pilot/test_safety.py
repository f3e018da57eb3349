"""Nothing above reversible happens unasked: dialogs, arming, read-only."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.domain.errors import UsageError
from cockpit.domain.settings import HostSettings, UserSettings
from tests.pilot.sample import sample
from tests.pilot.tools import MIDDLE, SMALL, WIDE, opened


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_the_dialog_says_what_happens_and_y_acts(size: tuple[int, int]) -> None:
    async with opened(size=size) as screen:
        await screen.press("b")
        await screen.settle()
        assert "OUTAGE" in screen.text
        assert "tailscaled" in screen.text or "interrupted" in screen.text
        assert not screen.rollback.applied
        await screen.press("y")
        await screen.settle()
        assert len(screen.rollback.applied) == 1
        assert screen.main.active == "releases"
        assert "converge" in screen.text


@pytest.mark.parametrize("key", ["enter", "escape", "q", "space", "n", "Y"])
async def test_nothing_but_y_acts(key: str) -> None:
    async with opened() as screen:
        await screen.press("b")
        await screen.settle()
        await screen.press(key)
        await screen.settle()
        assert not screen.rollback.applied


async def test_y_typed_before_the_plan_is_painted_is_no_answer() -> None:
    async with opened() as screen:
        screen.rollback.plan_ready.clear()
        await screen.press("b", "y", "y")
        assert "working out the plan" in screen.text
        screen.rollback.plan_ready.set()
        await screen.settle()
        assert "OUTAGE" in screen.text
        assert not screen.rollback.applied
        await screen.press("y")
        await screen.settle()
        assert len(screen.rollback.applied) == 1


async def test_a_key_that_waited_in_the_queue_is_older_than_the_painting() -> None:
    from cockpit.tui.screens.dialog import PlanDialog

    async with opened() as screen:
        await screen.press("b")
        await screen.settle()
        dialog = screen.app.screen
        assert isinstance(dialog, PlanDialog)
        assert dialog._answerable_from is not None
        dialog.act(dialog._answerable_from - 0.001)
        await screen.settle()
        assert not screen.rollback.applied


async def test_escape_while_planning_cancels_the_run() -> None:
    async with opened() as screen:
        screen.rollback.plan_ready.clear()
        await screen.press("b", "escape")
        await screen.settle()
        assert "working out" not in screen.text
        assert not screen.rollback.applied


async def test_the_impact_stays_while_commands_scroll() -> None:
    async with opened(size=MIDDLE) as screen:
        await screen.press("b")
        await screen.settle()
        for _ in range(20):
            await screen.press("j")
        assert "services interrupted" in screen.text
        assert "switch-to-configuration" in screen.text
        assert "roll back" in screen.text


async def test_a_protected_host_wants_its_name() -> None:
    cockpit = sample()
    hosts = dict(cockpit.settings.hosts) | {"homelab": HostSettings("homelab", "100.64.0.7", protected=True)}
    cockpit.settings = replace(cockpit.settings, hosts=hosts)
    async with opened(cockpit=cockpit) as screen:
        await screen.press("b")
        await screen.settle()
        assert "DATA LOSS" in screen.text
        await screen.press("y", "enter")
        await screen.settle()
        assert not screen.rollback.applied
        await screen.press("backspace", *"homelab", "enter")
        await screen.settle()
        assert len(screen.rollback.applied) == 1


async def test_reversible_actions_ask_for_one_y_while_read_only() -> None:
    async with opened() as screen:
        await screen.press("shift+tab", "j", "R")
        assert "y does this once" in screen.text
        await screen.press("x")
        assert screen.cockpit.resume.asked == []  # type: ignore[attr-defined]
        await screen.press("R", "y")
        await screen.settle()
        assert screen.cockpit.resume.asked == ["edge"]  # type: ignore[attr-defined]


async def test_w_arms_for_ten_minutes_with_a_countdown() -> None:
    async with opened() as screen:
        assert "read-only" in screen.rows[0]
        await screen.press("W")
        assert "▲ armed 10:00" in screen.rows[0]
        screen.cockpit.clock.time += 61  # type: ignore[attr-defined]
        screen.main.tick()
        await screen.pilot.pause()
        assert "▲ armed 8:59" in screen.rows[0]
        await screen.press("W")
        assert "read-only" in screen.rows[0]


async def test_ctrl_c_leaves_only_the_second_time() -> None:
    async with opened() as screen:
        await screen.press("ctrl+c")
        assert screen.app._exit is False
        assert "again leaves cockpit" in screen.text
        await screen.press("ctrl+c")
        await screen.settle()
        assert screen.app._exit is True


def test_a_keymap_with_an_unknown_id_is_refused_with_the_nearest() -> None:
    from cockpit.tui.app import CockpitApp

    with pytest.raises(UsageError, match="keymap") as error:
        CockpitApp(sample(UserSettings(keymap={"host.rolback": "ctrl+b"})))
    assert "host.rollback" in error.value.why


async def test_a_changed_key_is_shown_and_works() -> None:
    async with opened(user=UserSettings(keymap={"host.rollback": "ctrl+b"})) as screen:
        assert "ctrl+b roll back" in screen.rows[-1]
        await screen.press("b")
        await screen.settle()
        assert "OUTAGE" not in screen.text
        await screen.press("ctrl+b")
        await screen.settle()
        assert "OUTAGE" in screen.text


async def test_an_observer_sees_so_and_can_change_nothing() -> None:
    cockpit = sample()
    cockpit.gate._observes = True
    async with opened(cockpit=cockpit) as screen:
        assert screen.rows[0].endswith("observe") and "read-only" not in screen.rows[0]
        await screen.press("b")
        await screen.settle()
        assert "role: observe changes nothing" in screen.rows[-1] and "OUTAGE" not in screen.text
        await screen.press("W")
        assert "role: observe" in screen.rows[-1] and not cockpit.gate.armed
        assert "roll back" not in screen.main.hints()[0].word and all(not hint.mark for hint in screen.main.hints())
        await screen.press("m")
        assert "roll back: role: observe" in screen.text
