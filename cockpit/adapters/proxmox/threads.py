"""Threads that a silent system cannot keep the program from ending with.

Those of ThreadPoolExecutor are joined when the interpreter ends: leaving cockpit would wait for every handshake under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Work = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """At most `most` at work; what comes meanwhile waits in the order it came in."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._ended = False
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._ended:
                raise RuntimeError("the threads have been ended")
            self._waiting.put((future, lambda: fn(*args, **kwargs)))
            if not self._idle.acquire(blocking=False) and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return future

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            future, do = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(do())
                except BaseException as error:
                    future.set_exception(error)
            del work, future, do
            self._idle.release()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Never waits: nobody does who leaves."""
        with self._lock:
            self._ended = True
            while cancel_futures:
                try:
                    work = self._waiting.get_nowait()
                except Empty:
                    break
                if work is not None:
                    work[0].cancel()
            for _ in range(self._started):
                self._waiting.put(None)
