"""A reading that began in a thread of its own, while the program had no event loop yet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Begun(Generic[T]):
    """`read` runs at once, in an event loop of its own: nothing that it uses may be used by another one meanwhile."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, T]], name: str) -> None:
        self._read = read
        self._answer: Future[T] = Future()
        self._answer.set_running_or_notify_cancel()  # who stops waiting does not stop the thread
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        try:
            self._answer.set_result(asyncio.run(self._read()))
        except BaseException as error:
            self._answer.set_exception(error)

    async def answer(self) -> T:
        """Raises what the reading raised."""
        return await asyncio.wrap_future(self._answer)
