"""Files of the repository's work tree: what git says of each, whether it is encrypted, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

from cockpit.domain.secret import Secret

MOST_BYTES = 1024 * 1024
"""What is bigger is not opened."""
MOST_FILES = 20_000
"""A tree shows so many, and says how many it leaves out."""


class Encryption(Enum):
    NONE = "none"
    ENCRYPTED = "encrypted"
    """sops encrypted it."""
    EXPOSED = "exposed"
    """A rule of .sops.yaml names it, and it stands there in plain text."""


class Change(Struct, frozen=True):
    """One file that differs from HEAD, as `git status --porcelain=v2` has it."""

    path: str
    index: str = "."
    """Letter of the difference between HEAD and the index: `.MTADRCU?`."""
    work: str = "."
    """The same between the index and the work tree."""
    original: str = ""
    """Where a renamed file comes from."""
    added: int | None = None
    """Lines against HEAD; None where git does not count them (binary, untracked)."""
    removed: int | None = None

    @property
    def untracked(self) -> bool:
        return self.work == "?"

    @property
    def conflict(self) -> bool:
        return "U" in (self.index, self.work)

    @property
    def staged(self) -> bool:
        return self.index not in ".?U"

    @property
    def unstaged(self) -> bool:
        return self.work != "."

    @property
    def letter(self) -> str:
        """The one letter of a row."""
        if self.conflict:
            return "U"
        return self.work if self.work != "." else self.index


class WorkStatus(Struct, frozen=True):
    branch: str | None = None
    upstream: str | None = None
    """`origin/main`."""
    ahead: int = 0
    behind: int = 0
    head: bool = True
    """Whether there is a commit."""
    changes: tuple[Change, ...] = ()


class Entry(Struct, frozen=True):
    """A file on the disk, without its content."""

    path: str
    size: int = 0
    stamp: int = 0
    """Changes when the content may have changed."""
    link: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes as they stand on the disk (cipher text for an encrypted one) and what to compare them by later."""

    path: str
    data: bytes = field(repr=False)
    digest: str = ""
    """Of the bytes; empty for a file that is not there."""


class TreeFile(Struct, frozen=True):
    path: str
    change: Change | None = None
    encryption: Encryption = Encryption.NONE
    link: bool = False


class FilesSnapshot(Struct, frozen=True):
    """The work tree as it was read."""

    status: WorkStatus
    files: tuple[TreeFile, ...]
    """In path order, deleted ones included."""
    left_out: int = 0


class OpenFile(Struct, frozen=True):
    """A file as an editor gets it. The text is a `Secret` whether it is one or not: it stays out of logs and tracebacks."""

    path: str
    text: Secret
    base: Secret | None
    """The same file at HEAD, decrypted; None where HEAD does not have it or it cannot be read."""
    digest: str
    """Of what stood on the disk."""
    secret: bool = False
    """Decrypted: it goes back to the disk encrypted only."""
    readers: tuple[str, ...] = ()
    """Recipients of an encrypted file."""
    plain: frozenset[str] = frozenset()
    """Lines of an encrypted file that stand in plain text on the disk too, stripped."""
    note: str = ""
    """Why there is no base, where one was expected."""


class PushTarget(Struct, frozen=True):
    """Where a push goes."""

    remote: str
    branch: str
    """On the remote."""
    commits: tuple[str, ...] = ()
    """`8c41f0e subject` of what goes, newest first."""
    deploys: bool = False
    """Whether a push to it starts a deploy."""
    new: bool = False
    """Whether the remote does not have the branch yet."""


class NewFile(Struct, frozen=True):
    """A file that is to be written where there was none."""

    data: bytes
    executable: bool = False
