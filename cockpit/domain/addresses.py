"""How services are named: `HOST/PROJECT`, `HOST/PROJECT/SERVICE[/NUMBER]`; and which of them come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cockpit.domain.errors import UsageError
from cockpit.domain.services import Service


def named(ref: str, seen: Mapping[str, Sequence[Service]]) -> list[Service]:
    """The services of a reference. UsageError where there is none."""
    host, *rest = ref.split("/")
    if not rest or len(rest) > 3:
        raise UsageError(f"{ref!r} is no service", "", "HOST/PROJECT/SERVICE, or HOST/PROJECT for all of a project")
    found = [
        s
        for s in seen.get(host, ())
        if s.project == rest[0] and (len(rest) < 2 or s.service == rest[1]) and (len(rest) < 3 or str(s.number) == rest[2])
    ]
    if not found:
        near = sorted({s.service for s in seen.get(host, ()) if s.project == rest[0]}) or sorted(
            {s.project for s in seen.get(host, ()) if s.project}
        )
        raise UsageError(f"there is no {ref}", "it may be gone since it was read", f"there: {', '.join(near[:12]) or 'nothing'}")
    return found


def in_order(services: Sequence[Service], *, stopping: bool) -> list[Service]:
    """What others depend on first; last where it is stopped. A circle keeps the order that it came in."""
    left, done = list(services), []
    while left:
        names = {(s.host, s.project, s.service) for s in left}
        free = [s for s in left if not any((s.host, s.project, a) in names and a != s.service for a in s.after)] or left[:1]
        done += free
        left = [s for s in left if s not in free]
    return done[::-1] if stopping else done


def before(service: Service, going: Sequence[Service], *, stopping: bool) -> list[Service]:
    """Those that must be done with before this one; `going` is in the order of `in_order`, so that nobody waits in a circle."""
    earlier = going[: going.index(service)]
    if stopping:
        return [s for s in earlier if (s.host, s.project) == (service.host, service.project) and service.service in s.after]
    return [s for s in earlier if (s.host, s.project) == (service.host, service.project) and s.service in service.after]
