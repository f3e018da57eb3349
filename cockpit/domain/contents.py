"""What a built system consists of, as data: enough to compare two of them without a host, and without trusting who wrote it."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct, field

from cockpit.domain.errors import UsageError
from cockpit.domain.text import plain

MOST_BYTES = 8 * 1024 * 1024
"""Of a release file: a closure of ten thousand paths has one."""
MOST_NAMES = 50_000
MOST_TEXT = 4096

_STORE = re.compile(r"/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]{1,211}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Kernel(Struct, frozen=True, forbid_unknown_fields=True):
    version: str = ""
    parts: tuple[str, ...] = ()
    """Kernel, initrd and modules: store paths."""


class ServiceContents(Struct, frozen=True, forbid_unknown_fields=True):
    """A service of a compose project."""

    image: str = ""
    config: str = ""
    """Digest of everything that its compose files say about it, the image aside."""
    mounts: tuple[str, ...] = ()
    """Entries of the project that it mounts, or reads as configuration."""
    secrets: tuple[str, ...] = ()
    """Names of the project's secrets that it uses."""
    interpolated: bool = False
    """Whether values of `.env` go into it."""
    open_ports: tuple[str, ...] = ()
    """Published on every address."""
    environment: tuple[str, ...] = ()
    """What of its environment is a secret: variables, encrypted env files."""


class ProjectContents(Struct, frozen=True, forbid_unknown_fields=True):
    """A compose project. Entries and secrets by name, as store paths: equal paths are equal contents."""

    entries: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """The encrypted files; several secrets may lie in one."""
    services: dict[str, ServiceContents] = field(default_factory=dict)
    pinned: bool = True
    """Whether it has digests for its images."""
    env_secrets: str = "refuse"


class Contents(Struct, frozen=True, forbid_unknown_fields=True):
    """A built system."""

    host: str
    closure: str
    commit: str | None = None
    kernel: Kernel = Kernel()
    """Of a running system: that which was booted."""
    paths: tuple[str, ...] = ()
    """The closure, every store path; empty where it could not be read."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit -> digest of its files."""
    reloads: tuple[str, ...] = ()
    """Units that are reloaded where they change."""
    stays: tuple[str, ...] = ()
    """Units that are left alone where they change."""
    has_cockpit: bool = False
    projects: dict[str, ProjectContents] = field(default_factory=dict)


class ReleaseFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What `cockpit release` writes and `cockpit plan --release` reads: what a commit makes of each host."""

    commit: str
    subject: str = ""
    hosts: tuple[Contents, ...] = ()
    schema: int = 1


def encode(release: ReleaseFile) -> bytes:
    return msgspec.json.format(msgspec.json.encode(release), indent=1) + b"\n"


def decode(data: bytes) -> ReleaseFile:
    """Anybody may have written it: UsageError where it is not exactly what `encode` makes."""
    if len(data) > MOST_BYTES:
        raise UsageError("the release file is too big", f"more than {MOST_BYTES // 1024 // 1024} MiB")
    try:
        release = msgspec.json.decode(data, type=ReleaseFile)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError("this is no release file", str(error)[:300], "cockpit release writes one") from None
    if release.schema != 1:
        raise UsageError(
            f"a release file of schema {release.schema}", "this cockpit reads schema 1", "the same version on both sides"
        )
    wrong = _wrong_commit(release.commit) or _wrong_text(release.subject)
    if wrong := wrong or next((what for what in map(_wrong, release.hosts) if what), ""):
        raise UsageError("this is no release file", wrong[:300], "cockpit release writes one")
    names = [contents.host for contents in release.hosts]
    if len(set(names)) != len(names):
        raise UsageError("this is no release file", "it names a host twice")
    return release


def _wrong(contents: Contents) -> str:
    """What does not fit, or nothing. Types are right already."""
    texts = list(_texts(msgspec.to_builtins(contents)))
    if len(texts) > MOST_NAMES:
        return f"more than {MOST_NAMES} names"
    if wrong := next((what for what in map(_wrong_text, texts) if what), ""):
        return wrong
    paths = [contents.closure, *contents.paths, *contents.kernel.parts]
    for project in contents.projects.values():
        paths += [*project.entries.values(), *project.secrets.values()]
    for path in paths:
        if not is_store_path(path):
            return f"{path!r} is no store path"
    return _wrong_commit(contents.commit)


def _wrong_text(text: str) -> str:
    if len(text) > MOST_TEXT:
        return "a name is too long"
    return "" if plain(text) == text else f"{plain(text[:100])!r} has signs that no name has"


def _wrong_commit(commit: str | None) -> str:
    return "" if commit is None or _COMMIT.fullmatch(commit) else f"{commit!r} is no commit"


def is_store_path(path: str) -> bool:
    """Of the store's own, or of something inside it."""
    top = "/".join(path.split("/")[:4])
    return _STORE.fullmatch(top) is not None and ".." not in path.split("/") and path.isprintable()


def _texts(value: object) -> list[str]:
    found: list[str] = []
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            todo += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            todo += one
    return found
