"""Names of images, and which tag is newer and of the same form."""

from __future__ import annotations

import pytest

from cockpit.domain import images
from cockpit.domain.errors import UsageError

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "name", "registry", "repository", "tag", "digest"),
    [
        ("traefik", "traefik", "docker.io", "library/traefik", "latest", ""),
        ("traefik:v3.7.9", "traefik", "docker.io", "library/traefik", "v3.7.9", ""),
        ("docker.io/library/traefik:v3", "docker.io/library/traefik", "docker.io", "library/traefik", "v3", ""),
        ("gotify/server:3.0.0", "gotify/server", "docker.io", "gotify/server", "3.0.0", ""),
        ("ghcr.io/a/b:1@" + DIGEST, "ghcr.io/a/b", "ghcr.io", "a/b", "1", DIGEST),
        ("a@" + DIGEST, "a", "docker.io", "library/a", "latest", DIGEST),
        ("localhost:5000/a/b/c:1", "localhost:5000/a/b/c", "localhost:5000", "a/b/c", "1", ""),
        ("127.0.0.1:5000/a:1", "127.0.0.1:5000/a", "127.0.0.1:5000", "a", "1", ""),
        ("registry:5000/a", "registry:5000/a", "registry:5000", "a", "latest", ""),
    ],
)
def test_what_a_name_says(text: str, name: str, registry: str, repository: str, tag: str, digest: str) -> None:
    found = images.parse(text)
    assert (found.name, found.registry, found.repository, found.tag, found.digest) == (name, registry, repository, tag, digest)


@pytest.mark.parametrize(
    "text", ["", "UPPER/case", "a:", "a b", "a@sha256:12", "https://x.org/a", "a/../b", "-a", "a:\x1b[2J", "x" * 600, "${A}/b:1"]
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        images.parse(text)
    assert "\x1b" not in str(caught.value)


TAGS = [
    "latest",
    "v3.7.9",
    "v3.7.10",
    "v3.8.0",
    "v3.8.0-rc1",
    "v3.8",
    "v4.0.1",
    "3.9.0",
    "v3.10.0-alpine",
    "v3.9.0beta",
    "v03.99",
]


@pytest.mark.parametrize(
    ("current", "tags", "found"),
    [
        ("v3.7.9", TAGS, "v3.8.0"),
        ("v3.7", TAGS, "v03.99"),
        ("3.7.9", TAGS, "3.9.0"),
        ("v3.2.0-alpine", TAGS, "v3.10.0-alpine"),
        ("latest", TAGS, "latest"),
        ("v3.9.9", TAGS, "v3.9.9"),
        ("2.5.3-rootless", ["2.5.10-rootless", "2.6.0", "2.6.0-slim-rootless", "3.0.0-rootless"], "2.5.10-rootless"),
        ("17", ["17", "18"], "17"),
        ("1.2.3.4", ["1.2.3.10", "1.3.0"], "1.2.3.10"),
        ("v1.0.0", ["v1.99999999999999999999.0", "\x1b", ""], "v1.0.0"),
    ],
)
def test_newest_of_the_same_form(current: str, tags: list[str], found: str) -> None:
    assert images.newest(current, tags) == found


def test_the_first_number_moves_only_when_asked() -> None:
    assert images.newest("v3.7.9", TAGS, majors=True) == "v4.0.1"
    assert images.newest("17", ["17", "18", "18-alpine"], majors=True) == "18"


def test_release_notes() -> None:
    traefik = images.parse("traefik:v3.8.0")
    assert images.known_notes(traefik, "v3.8.0") == "https://github.com/traefik/traefik/releases/tag/v3.8.0"
    kuma = images.parse("louislam/uptime-kuma:2.5.3-rootless")
    assert images.known_notes(kuma, "2.5.3-rootless") == "https://github.com/louislam/uptime-kuma/releases/tag/2.5.3"
    assert images.known_notes(images.parse("x:1"), "1") == ""
    assert images.notes_from("https://github.com/a/b.git") == "https://github.com/a/b/releases"
    assert images.notes_from("https://github.com/a/b/tree/main") == "https://github.com/a/b/releases"
    assert images.notes_from("https://evil.example/a/b") == images.notes_from("javascript:x") == ""
