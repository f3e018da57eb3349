"""Compose files as text: which image is where, what keeps data, and a change of one image that changes nothing else."""

from __future__ import annotations

import pytest

from cockpit.adapters.compose_files import HEADER, ComposeYaml
from cockpit.domain.errors import UsageError

YAML = ComposeYaml()
BASE = b"""\
# a comment that stays
x-common: &common
  image: shared:1.0   # of two
services:
  web:   {image: "web:1.0", ports: ["127.0.0.1:80:80"]}
  db:
    # the database
    image: 'postgres:17.7-alpine'   # keep me
    volumes: ["data:/var/lib", "./conf:/conf:ro"]
  worker: {<<: *common, restart: "no"}
  beat:
    <<: [*common]
  built: {build: .}
  long:
    image: long:1
    volumes: [{type: volume, source: cache, target: /c}]
  bound:
    image: bound:1
    volumes: ["./data:/data", "/srv:/srv", {type: bind, source: ./x, target: /y}]
  told:
    image: told:1
    labels: {cockpit.stateful: "true"}
  denied:
    image: denied:1
    volumes: ["cache:/c"]
    labels: ["cockpit.stateful=false"]
"""


def images(*files: tuple[str, bytes]) -> dict[str, str]:
    return {service.name: service.image for service in YAML.services(files)}


def test_images_and_what_keeps_data() -> None:
    found = {service.name: service for service in YAML.services([("compose.yaml", BASE)])}
    assert {name: service.image for name, service in found.items()} == {
        "web": "web:1.0", "db": "postgres:17.7-alpine", "worker": "shared:1.0", "beat": "shared:1.0", "built": "",
        "long": "long:1", "bound": "bound:1", "told": "told:1", "denied": "denied:1",
    }  # fmt: skip
    assert {name for name, service in found.items() if service.stateful} == {"db", "long", "told"}


def test_a_later_file_counts() -> None:
    found = {s.name: s for s in YAML.services([("a", BASE), ("b", b"services: {db: {image: postgres:18}, more: {image: m:1}}")])}
    assert (found["db"].image, found["db"].path, found["db"].stateful) == ("postgres:18", "b", True)
    assert found["more"].image == "m:1" and found["web"].path == "a"


def test_a_change_changes_one_place() -> None:
    service = next(s for s in YAML.services([("c", BASE)]) if s.name == "db")
    made = YAML.with_images("c", BASE, [(service, "postgres:17.7-alpine", "postgres:17.8-alpine")])
    assert made == BASE.replace(b"17.7-alpine", b"17.8-alpine")


def test_changes_of_several_places() -> None:
    found = {s.name: s for s in YAML.services([("c", BASE)])}
    made = YAML.with_images("c", BASE, [(found["web"], "web:1.0", "web:1.10"), (found["long"], "long:1", "long:2")])
    assert made == BASE.replace(b"web:1.0", b"web:1.10").replace(b"long:1", b"long:2")


def test_an_image_that_several_share_moves_for_all_of_them_or_not_at_all() -> None:
    found = {s.name: s for s in YAML.services([("c", BASE)])}
    both = [(found[name], "shared:1.0", "shared:1.1") for name in ("worker", "beat")]
    assert YAML.with_images("c", BASE, both) == BASE.replace(b"shared:1.0", b"shared:1.1")
    with pytest.raises(UsageError, match="other services"):
        YAML.with_images("c", BASE, both[:1])


def test_what_cannot_be_changed_in_place_is_refused() -> None:
    data = b'services: {a: {image: "a:\\x31"}}'
    service = YAML.services([("c", data)])[0]
    assert service.image == "a:1"
    with pytest.raises(UsageError, match="cannot be changed in place"):
        YAML.with_images("c", data, [(service, "a:1", "a:2")])


def test_line_ends_and_other_scripts_stay() -> None:
    data = "# größer 🐳\r\nservices:\r\n  a:\r\n    image: a:1\r\n".encode()
    service = YAML.services([("c", data)])[0]
    assert YAML.with_images("c", data, [(service, "a:1", "a:2")]) == data.replace(b"a:1", b"a:2")


def test_a_lock_is_read_as_it_was_written() -> None:
    made = YAML.lock([("web", "web:1@sha256:" + "0" * 64), ("db", "db:1@sha256:" + "1" * 64)])
    assert made.decode().startswith(HEADER)
    assert YAML.locked("l", made) == {"web": "web:1@sha256:" + "0" * 64, "db": "db:1@sha256:" + "1" * 64}
    assert made == YAML.lock([("db", "db:1@sha256:" + "1" * 64), ("web", "web:1@sha256:" + "0" * 64)])


@pytest.mark.parametrize("data", [b"services: [", b"\xff\xfe", b"a: &a [*a, *b]", b"x: \x00"])
def test_what_does_not_parse_is_told_with_its_place(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"compose\.yaml"):
        YAML.services([("compose.yaml", data)])


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"services:", b"services: []", b"services: {a: , b: x, c: [1]}", b"services: {a: {image: [1]}}"]
)
def test_odd_shapes_have_no_images(data: bytes) -> None:
    assert set(images(("c", data)).values()) <= {""}
    assert YAML.locked("l", data) == {}
