"""The measuring itself: pairs are in turn, a program that fails is not timed, a complaint is no painted screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench.pairs import Failed, Side, compare, timed, verdict
from bench.terminal import first_paint
from scripts.paths import TOP


def test_pairs_are_in_turn_and_the_first_is_thrown_away() -> None:
    order: list[str] = []
    ours, theirs = iter((9.0, 2.0, 4.0, 3.0)), iter((1.0, 1.0, 1.0, 2.0))

    def measure(name: str, times: Iterator[float]) -> float:
        order.append(name)
        return next(times)

    found = compare(Side("a", lambda: measure("a", ours)), Side("b", lambda: measure("b", theirs)), pairs=3)
    assert "".join(order) == "abababab"
    assert found.our_seconds == (2.0, 4.0, 3.0)
    assert (found.ratio, found.difference) == (2.0, 1.0)
    assert verdict(found.ratio, 1.4).endswith("OVER")


def test_a_command_that_fails_is_not_timed() -> None:
    with pytest.raises(Failed, match="ended with 3"):
        timed([sys.executable, "-c", "raise SystemExit(3)"])


def test_first_paint_of_a_real_program() -> None:
    assert 0 < first_paint([sys.executable, "-m", "bench.minimal_app"], cwd=TOP) < 30


@pytest.mark.parametrize("program", ["print('a traceback that is long enough to be seen')", "import sys; sys.exit(1)"])
def test_what_is_not_a_picture_is_not_timed(program: str) -> None:
    with pytest.raises(Failed, match="it ended"):
        first_paint([sys.executable, "-c", program])
