"""Objects that are made when they are used first."""

from __future__ import annotations

from cockpit.adapters.later import end, later


class Thing:
    made = 0

    def __init__(self) -> None:
        Thing.made += 1
        self.closed = False
        self.name = "thing"

    async def close(self) -> None:
        self.closed = True


async def test_it_is_made_once_and_closed_only_if_it_was_made() -> None:
    Thing.made = 0
    unused, used = later(Thing), later(Thing)
    assert Thing.made == 0
    assert used.name == "thing" and not used.closed and Thing.made == 1
    await end(unused)
    await end(used)
    assert Thing.made == 1 and used.closed


def test_what_cannot_be_made_says_why_each_time() -> None:
    def broken() -> Thing:
        raise ValueError("no")

    stands_for = later(broken)
    for _ in range(2):
        try:
            assert not stands_for.name
        except ValueError as error:
            assert str(error) == "no"
