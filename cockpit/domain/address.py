"""How a person names an object: `homelab`, `homelab@142`, `homelab/paperless/web/logs`, `home/101`, `release/5vk3`."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from cockpit.domain.errors import UsageError
from cockpit.domain.ids import is_run_id
from cockpit.domain.settings import Settings

FORMS = "HOST, HOST@GENERATION, HOST/PROJECT[/SERVICE][/logs], CLUSTER[/VMID], release/ID, file/PATH, or the name of a pane"
PANES = ("overview", "vms", "hosts", "services", "files", "releases")
LOGS = "logs"


class Kind(Enum):
    PANE = "pane"
    HOST = "host"
    GENERATION = "generation"
    PROJECT = "project"
    SERVICE = "service"
    CLUSTER = "cluster"
    GUEST = "guest"
    RELEASE = "release"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Address:
    kind: Kind
    text: str
    """In its full form; of a pane, a host and a cluster its name, of a release its id, of a file its path."""
    logs: bool = False

    def __str__(self) -> str:
        head = {Kind.RELEASE: "release/", Kind.FILE: "file/"}.get(self.kind, "")
        return f"{head}{self.text}{'/logs' if self.logs else ''}"


def parse(text: str, settings: Settings) -> Address:
    """What somebody wrote. UsageError where it cannot be the name of anything here."""
    text = text.strip().rstrip("/")
    first, slash, rest = text.partition("/")
    if first == "release" and is_run_id(rest):
        return Address(Kind.RELEASE, rest)
    if first == "file" and rest and first not in settings.hosts:
        return Address(Kind.FILE, rest)
    if first in settings.clusters and rest.isdigit():
        return Address(Kind.GUEST, text)
    if first in settings.hosts:
        return _below(first, rest) if slash else Address(Kind.HOST, text)
    host, at, number = text.partition("@")
    if at and host in settings.hosts and (number.isdigit() or number == "test"):
        return Address(Kind.GENERATION, text)
    if text in settings.clusters:
        return Address(Kind.CLUSTER, text)
    if text in PANES:
        return Address(Kind.PANE, text)
    names = (*settings.hosts, *settings.clusters, *PANES)
    near = get_close_matches(host if at else first, names, n=1)
    # last of all: nearly every short word could be the beginning of a run's id
    if is_run_id(text) and any(c.isdigit() for c in text):
        return Address(Kind.RELEASE, text)
    known = ", ".join((*settings.hosts, *settings.clusters)) or "none"
    hint = f"did you mean {near[0]}?" if near else FORMS
    raise UsageError(f"there is nothing called {text!r}", f"cockpit.yaml names {known}", hint)


def _below(host: str, rest: str) -> Address:
    parts = rest.split("/")
    logs = len(parts) > 1 and parts[-1] == LOGS
    if logs:
        parts.pop()
    if len(parts) > 3 or (len(parts) == 3 and not parts[2].isdigit()) or not parts[-1]:
        raise UsageError(f"{host}/{rest} is no service", "", "HOST/PROJECT/SERVICE[/NUMBER][/logs]")
    kind = Kind.PROJECT if len(parts) == 1 else Kind.SERVICE
    return Address(kind, f"{host}/{'/'.join(parts)}", logs)
