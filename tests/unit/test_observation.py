"""One source, read again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.observe.observation import Observation, Observer
from tests.unit.fake_clock import START, FakeClock


class Source:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[int | CockpitError] = []
        self.reads = 0
        self.read = asyncio.Event()

    async def __call__(self) -> int:
        self.reads += 1
        self.read.set()
        answer = self.answers.pop(0) if self.answers else self.reads
        if isinstance(answer, CockpitError):
            raise answer
        return answer

    async def next(self) -> None:
        await self.read.wait()
        self.read.clear()


async def test_a_value_carries_its_time_and_no_error() -> None:
    clock, source = FakeClock(), Source()
    observer = Observer(source, clock)
    assert observer.latest == Observation() and not observer.latest.stale
    source.answers = [7]
    assert await observer.refresh() == Observation(7, START)


async def test_a_failure_keeps_the_last_value_and_slows_down_to_a_minute() -> None:
    clock, source = FakeClock(), Source()
    observer = Observer(source, clock)
    source.answers = [7]
    await observer.refresh()
    delays: list[float] = []
    for _ in range(7):
        clock.time += 100
        error = Unreachable("silent")
        source.answers = [error]
        seen = await observer.refresh()
        assert (seen.value, seen.read_at, seen.error, seen.stale) == (7, START, error, True)
        assert seen.retry_at is not None
        delays.append(seen.retry_at - clock.now())
    assert delays == [2, 4, 8, 16, 32, 60, 60]
    source.answers = [8, Unreachable("again")]
    good = await observer.refresh()
    assert (good.value, good.error, good.retry_at, good.stale) == (8, None, None, False)
    again = await observer.refresh()
    assert again.retry_at == clock.now() + 2


async def test_many_failures_do_not_overflow() -> None:
    clock, source = FakeClock(), Source()
    observer = Observer(source, clock)
    for _ in range(2000):
        source.answers = [Unreachable("silent")]
        await observer.refresh()
    assert observer.latest.retry_at == clock.now() + 60


async def test_a_mistake_in_the_program_is_not_hidden() -> None:
    async def read() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Observer(read, FakeClock()).refresh()


async def test_listeners_hear_every_try_until_they_leave() -> None:
    source = Source()
    observer = Observer(source, FakeClock())
    heard: list[Observation[int]] = []
    left: list[Observation[int]] = []
    stop: list[Callable[[], None]] = []

    def once(seen: Observation[int]) -> None:
        left.append(seen)
        stop[0]()

    stop.append(observer.listen(once))
    observer.listen(heard.append)
    source.answers = [1, Unreachable("silent"), 3]
    for _ in range(3):
        await observer.refresh()
    assert [seen.value for seen in heard] == [1, 1, 3] and [seen.stale for seen in heard] == [False, True, False]
    assert len(left) == 1
    stop[0]()  # twice is harmless


async def test_two_refreshes_at_once_do_not_read_at_once() -> None:
    reading = most = 0

    async def read() -> int:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        reading -= 1
        return 1

    observer = Observer(read, FakeClock())
    await asyncio.gather(observer.refresh(), observer.refresh(), observer.refresh())
    assert most == 1


async def test_it_is_read_at_once_when_shown_or_poked() -> None:
    source = Source()
    observer = Observer(source, FakeClock(), shown_every=3600, hidden_every=3600)
    running = asyncio.ensure_future(observer.run())
    await source.next()
    observer.show(True)
    await source.next()
    observer.poke()
    await source.next()
    assert source.reads == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_how_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, source = FakeClock(), Source()
    waited: list[float] = []
    end = asyncio.Event()

    async def wait(tasks: set[asyncio.Future[bool]], timeout: float) -> None:  # noqa: ASYNC109 - as asyncio's
        waited.append(timeout)
        if len(waited) == 2:
            observer.show(True)
        if len(waited) == 5:
            end.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    monkeypatch.setattr(asyncio, "wait", wait)
    observer = Observer(source, clock)
    source.answers = [1, 2, 3, Unreachable("silent"), Unreachable("silent")]
    running = asyncio.ensure_future(observer.run())
    await end.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert waited == [60.0, 60.0, 5.0, 2.0, 4.0]
