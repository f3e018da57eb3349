"""A compose project as it can be compared: its manifest entry, and what its compose files say about each service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from cockpit.adapters.outside import table
from cockpit.domain.contents import ProjectContents, ServiceContents, is_store_path
from cockpit.domain.errors import BuildFailed
from cockpit.domain.text import plain

SECRETS = "/run/cockpit/secrets/"


class _Instead(Struct, frozen=True):
    """A value that is not merged with that of the files before."""

    value: Any


class _Compose(SafeConstructor):
    """Knows compose's own tags, which say how files are merged."""


_Compose.add_constructor("!reset", lambda constructor, node: _Instead(None))
_Compose.add_constructor("!override", lambda constructor, node: _Instead(_untagged(constructor, node)))


def project_contents(name: str, manifest: Mapping[str, Any], files: Sequence[bytes]) -> ProjectContents:
    """`files` are its compose files, in order. BuildFailed where one does not parse."""
    merged: dict[str, Any] = {}
    for data in files:
        merged = _merged(merged, _load(name, data))
    entries = _store_paths(manifest.get("entries"))
    encrypted = {k: v.get("path") for k, v in table(manifest.get("encrypted")).items() if isinstance(v, dict)}
    secrets = {k: v.get("path") for k, v in table(manifest.get("secrets")).items() if isinstance(v, dict)}
    known = table(manifest.get("services"))
    return ProjectContents(
        entries=entries | _store_paths(encrypted),
        secrets=_store_paths(secrets),
        services={plain(service): _service(name, service, merged, table(known[service]), set(encrypted)) for service in known},
        pinned=bool(manifest.get("pinned", True)),
        env_secrets="allow" if manifest.get("env_secrets") == "allow" else "refuse",
    )


def _service(
    project: str, name: str, merged: Mapping[str, Any], known: Mapping[str, Any], encrypted: set[str]
) -> ServiceContents:
    own = table(table(merged.get("services")).get(name))
    configs, secrets = table(merged.get("configs")), table(merged.get("secrets"))
    used = [_source(item) for item in _list(own.get("secrets"))]
    files = [str(table(secrets.get(item)).get("file", "")) for item in used]
    files += [source for item in _list(own.get("volumes")) if (source := _bind(item)) is not None]
    prefix = f"{SECRETS}{project}/"
    mounts = {_entry(file) for file in files if file.startswith(".")}
    mounts |= {_entry(str(table(configs.get(_source(item))).get("file", ""))) for item in _list(own.get("configs"))}
    env_files = [_env_file(item) for item in _list(own.get("env_file"))]
    mounts |= {_entry(file) for file in env_files}
    # everything that is the service's own, and what it names elsewhere in the files
    around = {
        kind: {item: table(merged.get(kind)).get(item) for item in sorted(_named(own.get(kind)))}
        for kind in ("networks", "configs", "secrets")
    }
    text = json.dumps([{k: v for k, v in own.items() if k != "image"}, around], sort_keys=True, default=str)
    return ServiceContents(
        image=plain(str(known.get("image") or "")),
        config=hashlib.sha256(text.encode()).hexdigest(),
        mounts=tuple(sorted(plain(entry) for entry in mounts if entry)),
        secrets=tuple(sorted({plain(file.removeprefix(prefix)) for file in files if file.startswith(prefix)})),
        interpolated="$" in text.replace("$$", ""),
        open_ports=tuple(plain(str(port)) for port in known.get("ports_open") or ()),
        environment=(
            *(plain(str(key)) for key in known.get("plain_secrets") or ()),
            *(plain(file) for file in known.get("env_files") or () if file in encrypted),
        ),
    )


def _load(project: str, data: bytes) -> dict[str, Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Compose
    try:
        return table(yaml.load(BytesIO(data)))
    except (YAMLError, ValueError, RecursionError) as error:
        raise BuildFailed(
            f"project {project}: a compose file does not parse", plain(str(error).replace("\n", " ")[:300])
        ) from None


def _untagged(constructor: SafeConstructor, node: Node) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(node, MappingNode):
        return constructor.construct_mapping(node, deep=True)
    return constructor.construct_sequence(node, deep=True) if isinstance(node, SequenceNode) else node.value


def _merged(one: object, other: object, key: str = "") -> Any:  # noqa: ANN401 - any YAML
    """As compose merges its files: tables by their keys, lists behind each other, but for what is one command."""
    if isinstance(other, _Instead):
        return _merged(None, other.value)
    if isinstance(other, dict):
        before = table(one)
        return before | {name: _merged(before.get(name), value, str(name)) for name, value in other.items()}
    if isinstance(one, list) and isinstance(other, list) and key not in ("command", "entrypoint", "test"):
        return [*one, *other]
    return other


def _list(value: object) -> list[Any]:
    """compose writes one as a string, as a list, or as a table."""
    if isinstance(value, dict):
        return list(value)
    return value if isinstance(value, list) else [] if value is None else [value]


def _named(value: object) -> set[str]:
    return {_source(item) for item in _list(value)}


def _source(item: object) -> str:
    return str(item.get("source", "")) if isinstance(item, dict) else str(item)


def _env_file(item: object) -> str:
    return str(item.get("path", "")) if isinstance(item, dict) else str(item)


def _bind(volume: object) -> str | None:
    """The source of a mount that is a path; named volumes are none."""
    if isinstance(volume, dict):
        return str(volume.get("source", "")) if volume.get("type") == "bind" else None
    source, colon, _ = str(volume).partition(":")
    return source if colon and source.startswith((".", "/")) else None


def _entry(path: str) -> str:
    """The project's entry that a path leads to; nothing for one outside."""
    if path.startswith("/") or not path:
        return ""
    return path.removeprefix("./").split("/")[0] or "."


def _store_paths(named: object) -> dict[str, str]:
    return {plain(str(name)): path for name, path in table(named).items() if isinstance(path, str) and is_store_path(path)}
