"""Doctor in the terminal UI: the same report as on the command line, from the key, the palette and the command line."""

from __future__ import annotations

import pytest

from tests.pilot.tools import MIDDLE, SMALL, WIDE, opened


async def test_the_key_shows_what_has_to_be_mended_with_its_fix() -> None:
    async with opened(size=WIDE) as screen:
        await screen.press("!")
        await screen.settle()
        assert "traefik: there is no traefik.env in compose/web  compose/web/compose.yaml:6" in screen.text
        assert "→ write compose/web/traefik.env" in screen.text
        assert "✕ 2 to mend" in screen.text
        assert "2 services in 1 project" not in screen.text
        await screen.press("v")
        assert "2 services in 1 project" in screen.text
        await screen.press("escape")
        assert "to mend" not in screen.text


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL], ids=str)
async def test_all_of_it_can_be_read_at_every_size(size: tuple[int, int]) -> None:
    async with opened(size=size) as screen:
        await screen.press("!")
        await screen.settle()
        seen = screen.text
        for _ in range(40):
            await screen.press("ctrl+d")
            seen += screen.text
        words = " ".join(seen.split())
        for wanted in ("This machine", "traefik.env", "to mend", "tailscale", "does not answer"):
            assert wanted in words
        assert screen.app._exception is None


async def test_what_it_came_to_is_seen_at_once_where_little_fits() -> None:
    async with opened(size=MIDDLE) as screen:
        await screen.press("!")
        await screen.settle()
        title, first = [line for line in screen.text.splitlines() if "✕" in line and "✓" in line][:2]
        assert "Doctor   ✕ 2  ▲ 2  ◌ 8" in title
        assert "Compose ─" in first and "✕ 1" in first


async def test_the_command_line_and_the_palette_know_it() -> None:
    async with opened(size=MIDDLE) as screen:
        await screen.press(":", *"app.doctor", "enter")
        await screen.settle()
        assert "Compose ─" in screen.text
        await screen.press("escape", "ctrl+p", *"doctor", "enter")
        await screen.settle()
        assert "Compose ─" in screen.text
