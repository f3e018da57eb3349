"""The Hosts pane by its keys."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.domain.services import LogLine
from tests.pilot.tools import MIDDLE, SMALL, WIDE, opened


async def test_generations_show_badges_outcomes_and_the_difference() -> None:
    async with opened() as screen:
        assert "running default needs-reboot" in screen.text
        assert "✕ unhealthy" in screen.text
        assert "previous good: 141" in screen.text
        assert "Diff A 142 → B 141" in screen.text
        assert "paperless-ocr-de" in screen.text


async def test_v_picks_a_and_b() -> None:
    async with opened() as screen:
        await screen.press("j", "v", "j", "j", "v")
        await screen.settle()
        assert "Diff A 140 → B 138" in screen.text
        await screen.press("j", "v", "d")
        await screen.settle()
        assert "Diff A 142 → B 137" in screen.text


async def test_detail_tabs() -> None:
    async with opened() as screen:
        await screen.press("right_square_bracket")
        await screen.settle()
        assert "Back up /data with restic" in screen.text
        await screen.press("J")
        await screen.settle()
        assert "unable to create lock" in screen.text


async def test_filter_stays_in_place_and_ends_with_escape() -> None:
    async with opened() as screen:
        await screen.press("slash", *"gotify", "enter")
        assert "2 of 15" in screen.text
        assert "kernel 6.12.58" not in screen.text.partition("Diff")[0]
        await screen.press("escape")
        assert "15 kept" in screen.text
        await screen.press("slash", "exclamation_mark", *"ci", "enter")
        assert "CI 1164" not in screen.text
        assert "keep 30d" in screen.text


async def test_stale_host_keeps_its_values_and_says_when_it_is_asked_again() -> None:
    async with opened() as screen:
        screen.fleet.silence("homelab")
        await screen.fleet.hosts["homelab"].refresh()
        await screen.settle()
        row = next(r for r in screen.rows if "homelab" in r and "142" in r)
        assert "◌" in row
        assert "again in" in row
        assert "6.12.58 → 6.12.60" in row
        assert "1 of 2 reachable" in screen.text


async def test_a_host_that_was_never_read_says_why() -> None:
    from tests.pilot.sample import sample

    cockpit = sample()
    fleet = cockpit.fleet
    fleet.silence("edge")  # type: ignore[attr-defined]
    async with opened(cockpit=cockpit) as screen:
        assert "no connection to edge" in screen.text


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_the_cursor_stays_on_its_object(size: tuple[int, int]) -> None:
    async with opened(size=size) as screen:
        await screen.press("j", "j")
        table = screen.app.query_one("#generation-table")
        before = table.key  # type: ignore[attr-defined]
        await screen.fleet.hosts["homelab"].refresh()
        await screen.pilot.pause()
        assert table.key == before  # type: ignore[attr-defined]


async def test_enter_opens_the_detail_where_there_is_no_room_and_escape_returns() -> None:
    async with opened(size=SMALL) as screen:
        assert "recreate" not in screen.text
        await screen.press("enter")
        await screen.settle()
        assert "recreate" in screen.text
        await screen.press("escape")
        assert "Generations of" in screen.text


async def test_chord_and_goto() -> None:
    async with opened() as screen:
        await screen.press("G")
        table = screen.app.query_one("#generation-table")
        assert table.key == "128"  # type: ignore[attr-defined]
        await screen.press("g", "g")
        assert table.key == "142"  # type: ignore[attr-defined]
        await screen.press("apostrophe", "s")
        await screen.settle()
        assert screen.main.active == "services"


async def test_mouse_clicks_select_and_tabs_switch() -> None:
    async with opened() as screen:
        await screen.pilot.click("#generation-table", offset=(10, 6))
        table = screen.app.query_one("#generation-table")
        assert table.key == "138"  # type: ignore[attr-defined]
        await screen.pilot.click("#tabs", offset=(56, 0))
        await screen.settle()
        assert screen.main.active == "services"


async def test_an_idle_screen_paints_nothing() -> None:
    async with opened() as screen:
        painted: list[object] = []
        for widget in screen.app.screen.query("*"):
            original = widget.refresh

            def refresh(*regions: object, original: object = original, **more: object) -> object:
                painted.append(regions)
                return original(*regions, **more)  # type: ignore[operator]

            widget.refresh = refresh  # type: ignore[method-assign, assignment]
        for _ in range(3):
            screen.main.tick()
        assert painted == []


async def test_logs_follow_pause_and_resume() -> None:
    async with opened("services") as screen:
        await screen.press("l")
        assert "● following" in screen.text
        await screen.press("F")
        assert "paused" in screen.text
        s = screen.fleet.snapshots["homelab"].services[0]
        screen.fleet.extra = [LogLine("homelab", "paperless", "worker", s.since or 0, f"a new line {i}") for i in range(40)]
        screen.fleet.more.set()
        await screen.settle()
        assert "a new line 39" not in screen.text
        await screen.press("G")
        assert "a new line 39" in screen.text


async def test_marks_merge_logs() -> None:
    async with opened("services") as screen:
        await screen.press("space", "space", "space", "space")
        await screen.settle()
        assert "merged" in screen.text
        assert "POST /api/documents/post_document/" in screen.text
        assert "1,284 lines of db dropped" in screen.text
        assert "▸ 1 frame of libraries" in screen.text
        assert "celery@worker ready  queues=celery concurrency=2" in screen.text


async def test_a_project_folds() -> None:
    async with opened("services") as screen:
        await screen.press("k", "enter")
        assert "▸ paperless homelab" in screen.text
        assert "✕●●● 4 services" in screen.text


async def test_levels_and_search() -> None:
    async with opened("services") as screen:
        await screen.press("space", "space", "space", "space")
        await screen.settle()
        await screen.press("l", "L")
        assert "≥ warn" in screen.text
        assert "consuming scan" not in screen.text
        await screen.press("L", "L", "ctrl+f", *"checkpoint", "enter")
        assert "paused" in screen.text


async def test_an_attempt_of_somebody_else_is_seen_as_open_and_can_be_attached() -> None:
    from msgspec.structs import replace

    from cockpit.domain.hosts import Result

    async with opened("releases") as screen:
        first = replace(screen.fleet.attempts[0], result=Result.OPEN, phase="verify", ended=None, run="5vk9z219")
        screen.fleet.attempts.insert(0, first)
        await screen.fleet.hosts["homelab"].refresh()
        await screen.press("g", "g")
        await screen.settle()
        assert "◐" in next(row for row in screen.rows if "5vk9z219" in row)
        assert "nobody here watches it" in screen.text
        await screen.press("a")
        await screen.settle()
        assert screen.cockpit.attach.asked == ["5vk9z219"]  # type: ignore[attr-defined]


async def test_zoom_and_copy() -> None:
    async with opened() as screen:
        await screen.press("plus")
        assert "Hosts ─" not in screen.text
        await screen.press("underscore")
        assert "Hosts ─" in screen.text
        await screen.press("ctrl+o")
        assert "store path" in screen.text
        await screen.press("j", "j", "enter")
        await screen.settle()
        assert screen.app.clipboard == "homelab@141"


async def test_palette_finds_and_says_why_not() -> None:
    async with opened() as screen:
        await screen.press("g", "g", "ctrl+p", *"roll")
        assert "this generation is running" in screen.text
        for _ in range(4):
            await screen.press("backspace")
        await screen.press(*"observe/gotify", "enter")
        await screen.settle()
        assert screen.main.active == "services"
        assert screen.main.pane is not None
        assert screen.main.pane.target() == "observe/gotify"


async def test_a_theme_can_be_chosen_at_run_time() -> None:
    from cockpit.domain.settings import Theme

    async with opened() as screen:
        await screen.press("ctrl+p", *"contrast", "enter")
        await screen.settle()
        assert screen.app.skin.theme is Theme.CONTRAST


async def test_the_difference_follows_what_runs_with_no_key_pressed() -> None:
    async with opened() as screen:
        facts = screen.fleet.facts["homelab"]
        first, *rest = facts.generations
        newer = replace(first, number=143)
        screen.fleet.facts["homelab"] = replace(facts, generations=(newer, replace(first, badges=frozenset()), *rest))
        await screen.fleet.hosts["homelab"].refresh()
        await screen.settle()
        assert "Diff A 143 → B 141" in screen.text
        assert "paperless-ocr-de" in screen.text


async def test_search_moves_and_hides_nothing_and_esc_ends_it() -> None:
    async with opened() as screen:
        table = screen.app.query_one("#generation-table")
        count = table.count  # type: ignore[attr-defined]
        await screen.press("ctrl+f", *"postgres", "enter")
        assert table.key == "134" and table.count == count  # type: ignore[attr-defined]
        assert "search /postgres" in screen.text
        await screen.press("ctrl+f", "ctrl+u", *"nixos", "enter", "n")
        first = table.key  # type: ignore[attr-defined]
        await screen.press("n", "N")
        assert table.key == first  # type: ignore[attr-defined]
        await screen.press("escape")
        assert "search" not in screen.text


async def test_esc_takes_the_marks_away() -> None:
    async with opened("vms") as screen:
        await screen.press("space", "space")
        assert "2 marked" in screen.text
        await screen.press("escape")
        assert "marked" not in screen.text


async def test_marked_hosts_are_deployed_together() -> None:
    async with opened() as screen:
        await screen.press("shift+tab", "space", "space", "greater_than_sign")
        await screen.settle()
        assert "OUTAGE" in screen.text and "Deploy edge, homelab" in screen.text
        assert not screen.rollback.applied
