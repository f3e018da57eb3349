"""What a check is: a row of the table that the command, the terminal UI and the documentation are made from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from cockpit.actions.doctor.context import Context
from cockpit.domain.findings import Finding, Group, Level
from cockpit.domain.settings import HostSettings

Found = AsyncIterator[Finding]


class Check(Struct, frozen=True):
    """Exactly one of `run` and `each` is given."""

    id: str
    title: str
    """As a line of the report begins."""
    group: Group
    worst: Level
    """The worst that it can say."""
    about: str
    """What it looks at, in a sentence, for the documentation."""
    run: Callable[[Context], Found] | None = None
    each: Callable[[Context, HostSettings], Found] | None = None
    """Run once for each host."""
    online: bool = False
    """Whether it asks anything beyond this machine."""
    homelab: bool = True
    """Whether it needs a cockpit.yaml."""
    deadline: float = 20.0
    """Seconds."""
