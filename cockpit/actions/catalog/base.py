"""What an entry of the catalogue is, and what it is asked about."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from cockpit.domain.files import Encryption
from cockpit.domain.guests import Guest, Rights, Snapshot
from cockpit.domain.hosts import Generation, HostFacts
from cockpit.domain.plan import Tier
from cockpit.domain.releases import Release
from cockpit.domain.services import Service

EVERYWHERE = "everywhere"
OVERVIEW = "overview"
HOSTS = "hosts"
GENERATIONS = "generations"
SERVICES = "services"
LOGS = "logs"
RELEASES = "releases"
FILES = "files"
EDITOR = "editor"
GUESTS = "guests"
SNAPSHOTS = "snapshots"
LISTS = (HOSTS, GENERATIONS, SERVICES, RELEASES, GUESTS, SNAPSHOTS)
CONTEXTS = (EVERYWHERE, OVERVIEW, *LISTS, LOGS, FILES, EDITOR)
"""What can have the focus. An action of EVERYWHERE works in each of the others."""


class Target(Enum):
    """What an action acts on."""

    NONE = "nothing"
    PANE = "pane"
    ROW = "row"
    HOST = "host"
    GENERATION = "generation"
    SERVICE = "service"
    RELEASE = "release"
    GUEST = "guest"
    SNAPSHOT = "snapshot"
    LINES = "log lines"
    FILE = "file"


class Action(Struct, frozen=True):
    id: str
    title: str
    """What the palette, menus and help say."""
    verb: str
    """One or two words for the footer."""
    keys: tuple[str, ...]
    """Default keys in Textual's notation; a chord has a space (`g g`)."""
    label: str
    """The keys as a person reads them."""
    contexts: tuple[str, ...] = (EVERYWHERE,)
    target: Target = Target.NONE
    tier: Tier = Tier.READ
    description: str = ""
    footer: bool = False
    """Whether the footer shows it when it is possible."""
    planned: bool = False
    """Whether its own plan says how dangerous it is and asks (`actions.operations`); `tier` is then what it usually is."""

    @property
    def group(self) -> str:
        """The heading in help and in the key reference."""
        return self.contexts[0]

    @property
    def context(self) -> str:
        return self.contexts[0]

    def works_in(self, context: str) -> bool:
        return EVERYWHERE in self.contexts or context in self.contexts


class FilesAt(Struct, frozen=True):
    """The work tree, and where the cursor is in it."""

    path: str = ""
    file: bool = False
    """Whether it is a file that is there, and no folder."""
    encryption: Encryption = Encryption.NONE
    changed_here: int = 0
    """Changed files: this one, or those below this folder."""
    changed: int = 0
    staged: int = 0
    exposed: tuple[str, ...] = ()
    """Staged files that belong encrypted and are not."""
    head: bool = True
    upstream: str = ""
    ahead: int = 0
    lazygit: bool = False


class Context(Struct, frozen=True):
    """What an action would act on now: decides whether it is possible."""

    focus: str = EVERYWHERE
    host: str | None = None
    facts: HostFacts | None = None
    generation: Generation | None = None
    service: Service | None = None
    services: tuple[Service, ...] = ()
    """The marked ones, else the one under the cursor, else all of the project under it."""
    project: str = ""
    """`HOST/PROJECT` under the cursor, where nothing is marked."""
    release: Release | None = None
    files: FilesAt | None = None
    guests: tuple[Guest, ...] = ()
    """The marked ones, else the one under the cursor."""
    rights: Rights | None = None
    """In the cluster of those."""
    snapshot: Snapshot | None = None
    rows: int = 1
    """Rows of the list that has the focus."""
    hosts: tuple[str, ...] = ()
    """The marked hosts, where any are."""
    observes: bool = False
    """Whether the role here is to look only."""
    busy: str | None = None
    """Run id of a transaction of this process on that host."""


Check = Callable[[Context], str | None]
"""Why an action cannot be done now; None when it can."""


def unlocked(context: Context) -> str | None:
    """Whether the host is free for a transaction."""
    if context.facts is not None and context.facts.holder is not None:
        return f"{context.facts.holder.who} holds the lock from {context.facts.holder.origin}"
    return None
