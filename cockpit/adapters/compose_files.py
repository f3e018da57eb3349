"""ports.upkeep.ComposeFiles: images of a project's compose files, the lock beside them, and the change of one image in place."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cockpit.domain.errors import UsageError
from cockpit.domain.images import ComposeService
from cockpit.domain.text import plain

HEADER = """\
# Written by `cockpit lock`, do not edit: which bytes each tag of compose.yaml stands for. Compose reads it after that file.
"""
STATEFUL = "cockpit.stateful"
"""A label that says of a service that it keeps something, or (`false`) that it does not."""


class ComposeYaml:
    """Everything here is text in, text out."""

    def services(self, files: Sequence[tuple[str, bytes]]) -> tuple[ComposeService, ...]:
        """Of the files in the order of compose: what a later one says of an image counts."""
        images: dict[str, ComposeService] = {}
        stateful: dict[str, bool] = {}
        built: dict[str, bool] = {}
        for path, data in files:
            text = _text(path, data)
            for key, service in _pairs(_get(_root(path, text), "services")):
                if not isinstance(service, MappingNode):
                    continue
                stateful[key] = _stateful(service, stateful.get(key, False))
                built[key] = built.get(key, False) or _get(service, "build") is not None
                image = _get(service, "image")
                if isinstance(image, ScalarNode):
                    images[key] = ComposeService(key, str(image.value), path, image.start_mark.index, image.end_mark.index)
                else:
                    images.setdefault(key, ComposeService(key))
        return tuple(replace(s, stateful=stateful.get(s.name, False), built=built.get(s.name, False)) for s in images.values())

    def locked(self, path: str, data: bytes) -> dict[str, str]:
        """Service -> image, of a lock. UsageError where somebody wrote more into it."""
        root = _root(path, _text(path, data))
        services = dict(_pairs(_get(root, "services")))
        theirs = [key for key, _ in _pairs(root) if key != "services"]
        theirs += [f"{name}.{key}" for name, service in services.items() for key, _ in _pairs(service) if key != "image"]
        if theirs:
            why = f"{plain(', '.join(theirs[:3]))}: it would be lost when the lock is written anew"
            raise UsageError(f"{plain(path)} has more in it than images", why, "move it to compose.override.yaml")
        pairs = ((key, _get(service, "image")) for key, service in services.items())
        return {key: str(image.value) for key, image in pairs if isinstance(image, ScalarNode)}

    def lock(self, images: Sequence[tuple[str, str]]) -> bytes:
        """The file of these services; the same bytes for the same images."""
        yaml = YAML()
        yaml.width = 4096
        out = io.StringIO()
        yaml.dump({"services": {name: {"image": image} for name, image in sorted(images)}}, out)
        return (HEADER + out.getvalue()).encode()

    def with_images(self, path: str, data: bytes, changes: Sequence[tuple[ComposeService, str, str]]) -> bytes:
        """`data` with (service, old, new) replaced where it stands, and nothing else. UsageError where that cannot be done."""
        text = _text(path, data)
        spans = {(service.start, service.end): (old, new) for service, old, new in changes}
        for (start, end), (old, new) in sorted(spans.items(), reverse=True):
            if text[start:end].count(old) != 1:
                raise UsageError(f"{plain(path)}: the image {plain(old)} cannot be changed in place", "", "change it by hand")
            text = text[:start] + text[start:end].replace(old, new) + text[end:]
        made = text.encode()
        before = {s.name: s.image for s in self.services([(path, data)])}
        after = {s.name: s.image for s in self.services([(path, made)])}
        wanted = before | {service.name: new for service, _, new in changes}
        if after != wanted:
            raise UsageError(f"{plain(path)}: a change would change other services too", "several share one image", "by hand")
        return made


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{plain(path)} is no text") from None


def _root(path: str, text: str) -> Node | None:
    try:
        root: Node | None = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise UsageError(f"{plain(where)} does not parse", plain(str(error.problem or error.context or ""))) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{plain(path)} does not parse", plain(str(error)[:200])) from None
    return root


def _pairs(node: Node | None, depth: int = 0) -> Iterator[tuple[str, Node]]:
    """Of a mapping, with what it merges (`<<`), which gives way to what stands in it."""
    if not isinstance(node, MappingNode) or depth > 20:
        return
    own: dict[str, Node] = {}
    merged: list[Node] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
        elif isinstance(key, ScalarNode):
            own.setdefault(str(key.value), value)
    yield from own.items()
    seen = set(own)
    for other in merged:
        for name, value in _pairs(other, depth + 1):
            if name not in seen:
                seen.add(name)
                yield name, value


def _get(node: Node | None, name: str) -> Any:  # noqa: ANN401 - a node of any kind, or None
    return next((value for key, value in _pairs(node) if key == name), None)


def _stateful(service: MappingNode, before: bool) -> bool:
    labels = _get(service, "labels")
    told = _get(labels, STATEFUL)
    if isinstance(told, ScalarNode):
        return str(told.value).lower() == "true"
    if isinstance(labels, SequenceNode):
        for one in labels.value:
            if isinstance(one, ScalarNode) and str(one.value).startswith(f"{STATEFUL}="):
                return str(one.value).lower().endswith("=true")
    volumes = _get(service, "volumes")
    return before or any(_named(one) for one in (volumes.value if isinstance(volumes, SequenceNode) else ()))


def _named(volume: Node) -> bool:
    """SOURCE:TARGET with a source that is a name, or `type: volume` with a source."""
    if isinstance(volume, ScalarNode):
        source, colon, _ = str(volume.value).partition(":")
        return bool(colon) and not source.startswith((".", "/", "~", "$"))
    kind, source_node = _get(volume, "type"), _get(volume, "source")
    return isinstance(kind, ScalarNode) and kind.value == "volume" and isinstance(source_node, ScalarNode)
