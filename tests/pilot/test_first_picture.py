"""A pane knows the room that it will get before its first layout, and fills its first picture for that."""

from __future__ import annotations

import pytest
from textual.geometry import Size

from cockpit.tui.panes.base import Pane
from cockpit.tui.widgets.tab_bar import PANES
from tests.pilot.tools import MIDDLE, SMALL, WIDE, opened


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_the_room_before_the_layout_is_the_size_after_it(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    before: dict[str, Size] = {}

    async with opened("hosts" if size == WIDE else "overview", size) as screen:
        main = screen.main
        make = main.make

        def watched(name: str) -> Pane:
            pane = make(name)
            tell = pane.shown

            def told(is_shown: bool) -> None:
                before.setdefault(name, pane.room)
                tell(is_shown)

            monkeypatch.setattr(pane, "shown", told)
            return pane

        monkeypatch.setattr(main, "make", watched)
        for name in PANES:
            await main.show_pane(name)
        await screen.settle()
        assert before
        for name, room in before.items():
            await main.show_pane(name)
            await screen.settle()
            assert room == main.panes[name].size, name
