"""Time and names that a test can reckon with."""

from __future__ import annotations

import asyncio

START = 1_763_900_000.0


def sha(letter: str) -> str:
    """A commit id that is easy to read: forty times one hex digit."""
    return letter * 40


class FakeClock:
    """Sleeping takes no time, and moves the clock."""

    def __init__(self, now: float = START) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - START

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)
