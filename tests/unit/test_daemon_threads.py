"""Threads that end with the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from cockpit.adapters.proxmox.threads import DaemonThreads

LEAVES = """
import threading
from cockpit.adapters.proxmox.threads import DaemonThreads
begun = threading.Event()
threads = DaemonThreads(2, "silent")
threads.submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
threads.shutdown(wait=False, cancel_futures=True)
"""


async def test_answers_and_errors_come_back() -> None:
    threads = DaemonThreads(2, "test")
    loop = asyncio.get_running_loop()
    assert await asyncio.gather(*(loop.run_in_executor(threads, pow, 2, n) for n in range(20))) == [2**n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(threads, divmod, 1, 0)
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(pow, 2, 2)


def test_no_more_than_so_many_at_once_and_each_in_its_turn() -> None:
    threads, go, order = DaemonThreads(2, "test"), threading.Semaphore(0), list[int]()
    both = threading.Barrier(3)

    def first(number: int) -> None:
        both.wait(30)
        go.acquire(timeout=30)
        order.append(number)

    held = [threads.submit(first, n) for n in range(2)]
    both.wait(30)
    more = [threads.submit(order.append, n) for n in range(2, 6)]
    assert not any(future.done() or future.running() for future in more)
    go.release()
    for future in more:
        future.result(30)
    assert order[1:] == [2, 3, 4, 5]
    go.release()
    for future in held:
        future.result(30)
    threads.shutdown()


def test_what_still_waits_is_cancelled() -> None:
    threads, go, begun = DaemonThreads(1, "test"), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(30)

    running = threads.submit(work)
    assert begun.wait(30)
    waiting = threads.submit(pow, 2, 2)
    threads.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled() and not running.cancelled()
    go.set()
    running.result(30)


def test_a_program_ends_although_one_of_them_never_does() -> None:
    subprocess.run([sys.executable, "-c", LEAVES], check=True, timeout=60)
