"""Logs of services of several hosts as one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from cockpit.domain.errors import CockpitError
from cockpit.domain.services import LogGap, LogItem, LogLine, Service
from cockpit.ports import Clock, ContainerEngine

BATCHES = 64
"""Batches that wait for a slow reader; then the streams themselves wait, and their engines drop with a gap."""
RETRY_FIRST = 1.0
RETRY_MOST = 30.0


async def merged(
    engines: Mapping[str, ContainerEngine], services: Sequence[Service], clock: Clock, since: float | None, tail: int
) -> AsyncGenerator[list[LogItem], None]:
    """Live lines of all hosts, batch by batch as they come; a lost host is a gap, and is tried again from its last line."""
    queue: asyncio.Queue[list[LogItem]] = asyncio.Queue(BATCHES)
    by_host: dict[str, list[str]] = {}
    for service in services:
        if service.container and service.host in engines:
            by_host.setdefault(service.host, []).append(service.container)
    tasks = [
        asyncio.create_task(_follow(host, engines[host], containers, clock, since, tail, queue), name=f"logs {host}")
        for host, containers in by_host.items()
    ]
    try:
        while tasks:
            yield await queue.get()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(
    host: str,
    engine: ContainerEngine,
    containers: list[str],
    clock: Clock,
    since: float | None,
    tail: int,
    queue: asyncio.Queue[list[LogItem]],
) -> None:
    delay = RETRY_FIRST
    last = since
    while True:
        try:
            async for batch in engine.logs(containers, since=last, tail=tail):
                delay = RETRY_FIRST
                times = [item.time for item in batch if isinstance(item, LogLine)]
                last = max([*times, last or 0.0]) if times else last
                await queue.put(batch)
            text, bad = "the log stream ended", False
        except CockpitError as error:
            text, bad = f"{error.what}; trying again", True
        await queue.put([LogGap(host, "", "", clock.now(), text, bad)])
        await clock.sleep(delay)
        delay = min(delay * 2, RETRY_MOST)
