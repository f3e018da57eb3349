"""Addresses of what the terminal UI shows: `cockpit open ADDRESS`, the command line, notifications, the copy menu."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from msgspec import Struct

from cockpit.domain.errors import UsageError
from cockpit.domain.ids import is_run_id

PANES = ("overview", "vms", "hosts", "services", "files", "releases")
FORMS = "HOST, HOST@GENERATION, HOST/PROJECT[/SERVICE][/logs], CLUSTER/VMID, releases/RUN, files/PATH, or a pane's name"
_SINGULAR = {"file": "files", "release": "releases"}


class Place(Struct, frozen=True):
    """An object of a pane. `key` is the pane's own name for it; empty for the pane itself."""

    pane: str
    key: str = ""
    action: str = ""
    """Id of the catalogue: what is opened there."""
    generation: str = ""

    @property
    def row(self) -> str:
        """The key with the generation, as the pane takes it."""
        return f"{self.key}@{self.generation}" if self.generation else self.key


def find(address: str, hosts: Collection[str], clusters: Collection[str]) -> Place:
    """Where an address leads. UsageError, with the nearest name that there is."""
    words = address.strip().strip("/").split("/")
    first, rest = words[0], words[1:]
    name, at, generation = first.partition("@")
    if first in _SINGULAR and first not in hosts and rest:
        return Place(_SINGULAR[first], "/".join(rest))
    if first in PANES and first not in hosts:
        if not rest:
            return Place(first)
        if first in ("files", "releases"):
            return Place(first, "/".join(rest))
        return find("/".join(rest), hosts, clusters)
    if name in hosts:
        return _of_host(address, name, generation if at else None, rest)
    if first in clusters and len(rest) == 1 and rest[0].isdigit():
        return Place("vms", f"{first}/{rest[0]}")
    if first in clusters and not rest:
        return Place("vms")
    if not rest and is_run_id(first) and any(c.isdigit() for c in first):
        return Place("releases", first)  # last of all: many a short word could be the beginning of a run's id
    near = get_close_matches(name, [*hosts, *clusters, *PANES], 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"hosts: {', '.join(hosts) or 'none'}"
    raise UsageError(f"nothing is at {address!r}", FORMS, hint)


def _of_host(address: str, host: str, generation: str | None, rest: list[str]) -> Place:
    if generation is not None:
        if not (generation.isdigit() or generation == "test") or rest:
            raise UsageError(f"nothing is at {address!r}", FORMS, f"e.g. {host}@141")
        return Place("hosts", host, generation=generation)
    if not rest:
        return Place("hosts", host)
    if rest[0] == "logs" and len(rest) == 1:
        raise UsageError(f"nothing is at {address!r}", "logs are those of a project or a service", f"{host}/PROJECT/logs")
    logs = len(rest) > 1 and rest[-1] == "logs"
    names = rest[:-1] if logs else rest
    action = "service.logs" if logs else ""
    if len(names) == 1:
        return Place("services", f"{host}//{names[0]}", action)
    if len(names) == 2:
        return Place("services", f"{host}/{names[0]}/{names[1]}/1", action)
    if len(names) == 3 and names[2].isdigit():
        return Place("services", "/".join((host, *names)), action)
    raise UsageError(f"nothing is at {address!r}", FORMS)
