"""A value that was read some time ago, and how the last try went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from cockpit.domain.errors import CockpitError
from cockpit.ports import Clock

T = TypeVar("T")

RETRY_FIRST = 2.0
RETRY_MOST = 60.0


class Observation(Struct, Generic[T], frozen=True):
    """The last good value stays while its source is silent; `error` and `retry_at` then say why and until when."""

    value: T | None = None
    read_at: float | None = None
    """Seconds since the epoch of the last good reading."""
    error: CockpitError | None = None
    retry_at: float | None = None

    @property
    def stale(self) -> bool:
        return self.error is not None


class Observer(Generic[T]):
    """Reads one source again and again: often while it is shown, seldom otherwise, slower and slower while it fails."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], clock: Clock, *, shown_every: float = 5.0, hidden_every: float = 60.0
    ) -> None:
        self._read = read
        self._clock = clock
        self._every = {True: shown_every, False: hidden_every}
        self._shown = False
        self._wake = asyncio.Event()
        self._listeners: list[Callable[[Observation[T]], None]] = []
        self._failures = 0
        self._reading = asyncio.Lock()
        self.latest: Observation[T] = Observation()

    def listen(self, listener: Callable[[Observation[T]], None]) -> Callable[[], None]:
        """Calls back on the event loop after every try. The answer ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def show(self, shown: bool) -> None:
        """A pane that shows this source tells so; one that comes into view is read at once when its value is old."""
        if shown and not self._shown:
            self._wake.set()
        self._shown = shown

    def pace(self, shown_every: float) -> None:
        """Seconds between two readings while it is shown; what grows is read less often."""
        self._every[True] = shown_every

    @property
    def is_shown(self) -> bool:
        return self._shown

    def poke(self) -> None:
        """Reads as soon as possible, without waiting for the answer."""
        self._wake.set()

    async def refresh(self) -> Observation[T]:
        """Reads now; tells the listeners; never raises what a person can act on."""
        async with self._reading:
            now = self._clock.now()
            try:
                value = await self._read()
            except CockpitError as error:
                self._failures += 1
                delay = min(RETRY_FIRST * 2 ** min(self._failures - 1, 16), RETRY_MOST)  # the exponent must not outgrow a float
                self.latest = replace(self.latest, error=error, retry_at=self._clock.now() + delay)
            else:
                self._failures = 0
                self.latest = Observation(value=value, read_at=now)
        for listener in tuple(self._listeners):
            listener(self.latest)
        return self.latest

    async def run(self) -> None:
        """Keeps reading until cancelled."""
        while True:
            self._wake.clear()
            await self.refresh()
            retry_at = self.latest.retry_at
            delay = self._every[self._shown] if retry_at is None else max(0.1, retry_at - self._clock.now())
            wake = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({wake}, timeout=delay)
            finally:
                wake.cancel()
