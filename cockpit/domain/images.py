"""Container images by name: what a name says, which tag is newer and of the same shape, where its changes are told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from cockpit.domain.errors import UsageError
from cockpit.domain.text import plain

HUB = "docker.io"
_NAME = re.compile(
    r"(?:(?P<host>localhost(?::\d+)?|[A-Za-z0-9.-]+\.[A-Za-z0-9-]+(?::\d+)?|[A-Za-z0-9-]+:\d+|\[[0-9a-f:]+\](?::\d+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_SHAPE = re.compile(r"(v?)(\d{1,9}(?:\.\d{1,9})*)((?![\d.]).*)?")


class Image(Struct, frozen=True):
    """`name` is as it was written, without tag and digest."""

    name: str
    registry: str
    repository: str
    tag: str
    digest: str = ""

    @property
    def tagged(self) -> str:
        return f"{self.name}:{self.tag}"

    @property
    def key(self) -> str:
        """The same for every way of writing it."""
        return f"{self.registry}/{self.repository}"

    def pinned(self, digest: str) -> str:
        return f"{self.tagged}@{digest}"


def parse(text: str) -> Image:
    """UsageError for what is no image's name."""
    match = _NAME.fullmatch(text)
    if match is None or len(text) > 512:
        raise UsageError(f"{plain(text[:100])!r} is no image", "expected [HOST/]NAME[:TAG][@sha256:DIGEST]")
    host, path, tag = match["host"] or HUB, match["path"], match["tag"] or "latest"
    name = text.partition("@")[0]
    if match["tag"]:
        name = name.removesuffix(f":{tag}")
    if host in ("index.docker.io", HUB):
        host = HUB
        path = path if "/" in path else f"library/{path}"
    return Image(name, host, path, tag, match["digest"] or "")


def newest(current: str, tags: Iterable[str], *, majors: bool = False) -> str:
    """The highest version among `tags` that is written like `current`: same prefix, as many numbers, same suffix. `current` where
    nothing is higher, or where it is no version."""
    match = _SHAPE.fullmatch(current)
    if match is None:
        return current
    best, found = _numbers(match[2]), current
    for tag in tags:
        other = _SHAPE.fullmatch(tag)
        if other is None or (other[1], other[3] or "") != (match[1], match[3] or ""):
            continue
        numbers = _numbers(other[2])
        if len(numbers) == len(best) and numbers > best and (majors or numbers[0] == best[0]):
            best, found = numbers, tag
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


_NOTES = {
    "docker.io/library/traefik": "https://github.com/traefik/traefik/releases/tag/v{version}",
    "docker.io/louislam/uptime-kuma": "https://github.com/louislam/uptime-kuma/releases/tag/{version}",
    "ghcr.io/bigboot/autokuma": "https://github.com/BigBoot/AutoKuma/releases/tag/v{version}",
    "docker.io/gotify/server": "https://github.com/gotify/server/releases/tag/v{version}",
    "docker.io/nickfedor/watchtower": "https://github.com/nicholas-fedor/watchtower/releases/tag/v{version}",
    "docker.io/amir20/dozzle": "https://github.com/amir20/dozzle/releases/tag/v{version}",
    "ghcr.io/gethomepage/homepage": "https://github.com/gethomepage/homepage/releases/tag/v{version}",
    "docker.io/wollomatic/socket-proxy": "https://github.com/wollomatic/socket-proxy/releases/tag/{version}",
    "ghcr.io/paperless-ngx/paperless-ngx": "https://github.com/paperless-ngx/paperless-ngx/releases/tag/v{version}",
    "docker.io/library/postgres": "https://www.postgresql.org/docs/release/{version}/",
}
_FORGE = re.compile(r"https://(github\.com|gitlab\.com|codeberg\.org)/[\w.-]+/[\w.-]+")


def known_notes(image: Image, tag: str) -> str:
    """Where the changes of a tag are told; empty where this program does not know."""
    shape = _SHAPE.fullmatch(tag)
    return _NOTES[image.key].format(version=shape[2]) if shape is not None and image.key in _NOTES else ""


def notes_from(source: str) -> str:
    """The same, from what the image says of its source (a label, so outside text); empty for what is no page of a forge."""
    match = _FORGE.match(source)
    return f"{match[0].removesuffix('.git')}/releases" if match is not None else ""


class Fit(Enum):
    """How a service's image stands in the lock."""

    LOCKED = "locked"
    MISSING = "missing"
    """The lock does not have it."""
    STALE = "stale"
    """The lock has another tag of it, or another image."""
    OPEN = "open"
    """It cannot be locked: a variable in the name, a build, no image."""


class ComposeService(Struct, frozen=True):
    """A service of a project's merged compose files."""

    name: str
    image: str = ""
    path: str = ""
    """The file that says the image."""
    start: int = -1
    end: int = -1
    """Where in the file's text it stands."""
    stateful: bool = False
    """It keeps something in a named volume."""
    built: bool = False
    """Its image is made from its files; a name only says how it is called then."""


class LockRow(Struct, frozen=True):
    """One image of one project."""

    project: str
    services: tuple[str, ...]
    image: str
    fit: Fit
    old_tag: str = ""
    new_tag: str = ""
    old_digest: str = ""
    new_digest: str = ""
    notes: str = ""
    """URL of the release notes."""
    stateful: bool = False
    why: str = ""
    """Why it is open."""

    @property
    def moved(self) -> bool:
        """Whether other bytes would run."""
        return (self.old_tag, self.old_digest) != (self.new_tag, self.new_digest)
