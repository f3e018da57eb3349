"""Which hosts a command line means."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable, Sequence

from cockpit.domain.errors import UsageError
from cockpit.domain.settings import HostSettings


def patterns(args: argparse.Namespace) -> tuple[str, ...]:
    return (*getattr(args, "hosts", ()), *args.host)


def select(hosts: Iterable[HostSettings], wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of the hosts that match any of these names, globs and @tags, in the order of cockpit.yaml; all without a pattern."""
    known = list(hosts)
    found: set[str] = set()
    for pattern in wanted:
        if pattern.startswith("@"):
            matched = {host.name for host in known if pattern[1:] in host.tags}
        else:
            matched = {host.name for host in known if fnmatch.fnmatchcase(host.name, pattern)}
        if not matched:
            raise UsageError(f"no host matches {pattern!r}", f"cockpit.yaml names {', '.join(h.name for h in known) or 'none'}")
        found |= matched
    if not known:
        raise UsageError("cockpit.yaml names no hosts")
    return tuple(host.name for host in known if not wanted or host.name in found)
