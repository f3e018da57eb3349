"""`cockpit services` and `cockpit logs`: text for people, one JSON document a line for programs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from msgspec.structs import asdict

from cockpit.actions.bundle import Cockpit
from cockpit.cli.output import Pipe
from cockpit.domain.addresses import named
from cockpit.domain.errors import CockpitError, Exit, UsageError, worst
from cockpit.domain.services import Health, LogGap, LogItem, Service, State
from cockpit.domain.text import plain
from cockpit.observe.fleet import Fleet

TAIL = 200
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


async def show_services(fleet: Fleet, hosts: Sequence[str], as_json: bool, out: Pipe) -> Exit:
    codes: list[Exit] = []
    # at once: a host that does not answer holds up no other
    looked = await asyncio.gather(*(fleet.services[host].refresh() for host in hosts))
    for host, seen in zip(hosts, looked, strict=True):
        if seen.error is not None or seen.value is None:
            error = seen.error or CockpitError(f"{host} was not read")
            codes.append(error.exit)
            told: dict[str, Any] = {
                "event": "Error", "exit": int(error.exit), "what": error.what, "why": error.why, "hint": error.hint,
            }  # fmt: skip
            out.line(json.dumps(told) if as_json else f"{host:<12} ✕ {plain(str(error))}")
            continue
        for service in seen.value.services:
            out.line(_json("Service", service) if as_json else _row(service, seen.value.read_at))
    return worst(codes)


def _row(service: Service, now: float) -> str:
    mark = "✕" if service.broken else "✓" if service.state is State.RUNNING else "–"
    name = service.ref if service.project else service.name
    health = service.health.value if service.health is not Health.NONE else "–"
    age = _age(now - service.since) if service.since and service.since > 0 else "–"
    notes = [plain(service.image)]
    if service.restarts:
        notes.append(f"{service.restarts} restart{'s' if service.restarts > 1 else ''}")
    if service.exit_code:
        notes.append(f"exit {service.exit_code}{', out of memory' if service.oom else ''}")
    return f"{service.host:<12} {mark} {name:<28} {service.state.value:<10} {health:<9} {age:>4}  {', '.join(notes)}"


async def show_logs(cockpit: Cockpit, args: argparse.Namespace, out: Pipe) -> Exit:
    """Old lines, then with --follow new ones until interrupted, or until nobody reads them any more."""
    since = cockpit.clock.now() - seconds(args.since) if args.since else None
    if args.tail is not None and args.tail < 0:
        raise UsageError(f"--tail {args.tail}", "it needs a number of lines")
    tail = args.tail if args.tail is not None else None if args.since else TAIL
    services = await _chosen(cockpit.fleet, args.targets)
    as_json = args.output == "json"
    old = await cockpit.fleet.history(services, since, tail)
    _print(old, as_json, out)
    if not args.follow:
        return Exit.DONE
    last = max((item.time for item in old), default=cockpit.clock.now())
    async with contextlib.aclosing(cockpit.fleet.logs(services, last, 100_000)) as batches:
        async for batch in batches:
            _print(batch, as_json, out)
            if out.closed:
                break
    return Exit.DONE


async def _chosen(fleet: Fleet, targets: Sequence[str]) -> list[Service]:
    seen: dict[str, tuple[Service, ...]] = {}
    for host in dict.fromkeys(target.partition("/")[0] for target in targets):
        if host not in fleet.services:
            raise UsageError(f"there is no host {host!r}", f"cockpit.yaml names {', '.join(fleet.services) or 'none'}")
        found = await fleet.services[host].refresh()
        if found.error is not None:
            raise found.error
        seen[host] = found.value.services if found.value is not None else ()
    return list({s.container: s for target in targets for s in named(target, seen)}.values())


def _print(items: Iterable[LogItem], as_json: bool, out: Pipe) -> None:
    for item in items:
        if as_json:
            out.line(_json("LogGap" if isinstance(item, LogGap) else "LogLine", item))
        else:
            mark = "-- " if isinstance(item, LogGap) else ""
            out.line(f"{_stamp(item.time)} {item.service:<12} {mark}{plain(item.text)}")


def _json(kind: str, value: Any) -> str:  # noqa: ANN401 - any dataclass
    return json.dumps({"event": kind, **asdict(value)}, default=_plain_value)


def _plain_value(value: object) -> object:
    if isinstance(value, Enum):
        return value.name.lower() if isinstance(value.value, int) else value.value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


def seconds(age: str) -> float:
    """`30s`, `10m`, `2h`, `1d`. UsageError for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", age)
    if not found:
        raise UsageError(f"--since {age}", "it needs a number and a unit: 30s, 10m, 2h, 1d")
    return int(found[1]) * _UNITS[found[2]]


def _age(age: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if age >= size:
            return f"{int(age // size)}{unit}"
    return f"{max(0, int(age))}s"
