"""Runs checks beside each other. One that fails, hangs or is broken says so itself, and holds up nobody."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cockpit.actions.doctor.check import Check
from cockpit.actions.doctor.context import Context
from cockpit.domain.errors import CockpitError, Exit
from cockpit.domain.findings import Finding, Level, fail, skipped
from cockpit.domain.settings import HostSettings

AT_ONCE = 16
MOST_FINDINGS = 50
"""Of one check on one host; what is more is counted."""


class Result(Struct, frozen=True):
    """What one check found, on one host where it is for hosts."""

    check: Check
    findings: tuple[Finding, ...]
    """None where there was nothing to look at: no OpenTofu, no workflows."""
    host: str = ""
    broken: bool = False
    """A defect in cockpit kept it from its work."""

    @property
    def level(self) -> Level:
        order = list(Level)
        return max((finding.level for finding in self.findings), key=order.index, default=Level.OK)


class Examination(Struct, frozen=True):
    results: tuple[Result, ...]
    """In the order of the table, then of the hosts."""
    offline: bool = False

    def count(self, level: Level) -> int:
        return sum(finding.level is level for result in self.results for finding in result.findings)

    def exit(self, *, strict: bool = False) -> Exit:
        """10 where something has to be mended; `strict` counts warnings too. 1 where a check itself is broken."""
        if any(result.broken for result in self.results):
            return Exit.DEFECT
        return Exit.TO_DO if self.count(Level.FAIL) or (strict and self.count(Level.WARN)) else Exit.DONE


async def examine(
    context: Context, checks: Sequence[Check], *, offline: bool = False, on_result: Callable[[Result, int], None] | None = None
) -> Examination:
    """Raises nothing. `on_result` is told each result as it comes, and how many are still to come."""
    jobs: list[tuple[Check, HostSettings | None]] = []
    for check in checks:
        if (offline and check.online) or (check.homelab and context.settings is None):
            continue
        jobs += [(check, host) for host in context.looked_at] if check.each is not None else [(check, None)]
    limit, left = asyncio.Semaphore(AT_ONCE), [len(jobs)]

    async def one(check: Check, host: HostSettings | None) -> Result:
        async with limit:
            result = await _examined(context, check, host)
        left[0] -= 1
        if on_result is not None:
            on_result(result, left[0])
        return result

    try:
        return Examination(tuple(await asyncio.gather(*(one(check, host) for check, host in jobs))), offline)
    finally:
        await context.close()


async def _examined(context: Context, check: Check, host: HostSettings | None) -> Result:
    found: list[Finding] = []
    broken = False
    try:
        async with asyncio.timeout(check.deadline):
            stream = check.each(context, host) if check.each is not None and host is not None else None
            if stream is None:
                if check.run is None:
                    raise AssertionError(f"{check.id} has nothing to run")
                stream = check.run(context)
            async for finding in stream:
                found.append(finding)
    except TimeoutError:
        found.append(skipped("it took too long", f"no end within {check.deadline:.0f}s"))
    except CockpitError as error:
        found.append(skipped(error.what, error.why, error.hint))
    except Exception as error:  # a mistake of ours in one check is no reason to say nothing of the others
        broken = True
        found.append(fail(f"a defect in cockpit: {type(error).__name__}", _place(error), "report it; the other checks stand"))
    if len(found) > MOST_FINDINGS:
        worst = sorted(found, key=lambda f: list(Level).index(f.level), reverse=True)
        found = [
            *worst[:MOST_FINDINGS],
            replace(worst[MOST_FINDINGS], what=f"and {len(found) - MOST_FINDINGS} more", why="", fix=""),
        ]
    name = host.name if host is not None else ""
    named = tuple(replace(finding, check=check.id, host=finding.host or name) for finding in found)
    return Result(check, named, name, broken)


def _place(error: Exception) -> str:
    """Where in the code; never a value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('cockpit/')[2]}:{frames[-1].lineno}" if frames else ""
