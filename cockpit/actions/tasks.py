"""A task of Proxmox VE, followed to its end: how it went is told by the task, never by the answer that started it."""

from __future__ import annotations

import re

from cockpit.actions.run import Run
from cockpit.domain.errors import OutcomeUnknown, Unreachable
from cockpit.domain.events import Output, Progress, Waiting
from cockpit.domain.guests import GuestTask
from cockpit.ports import Clock, Hypervisor

SILENT = 120.0
"""Seconds that a cluster may be silent while its task is followed."""
FIRST, MOST = 0.2, 1.0
"""Seconds between two looks at a task."""
PAGE = 500
_PERCENT = re.compile(r"\b(\d{1,3})(?:\.\d+)?%")


async def follow(hypervisor: Hypervisor, upid: str, run: Run, target: str, step: str, clock: Clock) -> GuestTask:
    """Until it has ended, with its log into the run. OutcomeUnknown when the cluster is silent for too long."""
    lines, delay, silent = 0, FIRST, None
    while True:
        try:
            task = await hypervisor.task(upid)
            page = await hypervisor.task_log(upid, lines)
        except Unreachable as error:
            silent = silent or clock.monotonic()
            left = SILENT - (clock.monotonic() - silent)
            if left <= 0:
                raise OutcomeUnknown(
                    f"nobody knows how {step} of {target} ended", f"{error}", f"its task goes on: {upid}"
                ) from None
            run.emit(Waiting, host=target, step=step, text=str(error), left=left)
        else:
            silent, lines = None, lines + len(page)
            for line in page:
                run.emit(Output, host=target, step=step, text=line)
            if done := next((m for line in reversed(page) if (m := _PERCENT.search(line))), None):
                share = min(100, int(done[1])) / 100
                run.emit(Progress, host=target, step=step, text=f"{done[1]}%", done=share)
            if not task.running and len(page) < PAGE:
                return task
        await clock.sleep(delay)
        delay = min(delay * 1.5, MOST)
