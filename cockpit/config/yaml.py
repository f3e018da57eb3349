"""YAML with line numbers, safe against what a file can do to a parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cockpit.domain.errors import Complaint, SettingsError, UsageError
from cockpit.domain.marked import Node

MOST = 1024 * 1024
MOST_NODES = 100_000


_TAGS = {"int": "integer", "float": "float", "bool": "boolean", "null": "null", "str": "string"}


def read(path: Path, complaints: list[Complaint]) -> Node:
    """Keys that stand there twice are added to the complaints; of them the first counts.

    Raises UsageError where the file cannot be read, SettingsError where it is no YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
        text = data[:MOST].decode("utf-8") if len(data) <= MOST else ""
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", "", "run cockpit in the homelab's repository, or give --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error)) from None
    if len(data) > MOST:
        raise UsageError(f"{path} is too big", f"{MOST} bytes are the most")
    return parse(text, path.name, complaints)


def plain(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """YAML as plain values. SettingsError where it is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        why = str(error).splitlines()[0] if str(error) else "is no YAML"
        raise SettingsError([Complaint("YAML", 1, "(syntax)", why)]) from None


def parse(text: str, name: str, complaints: list[Complaint]) -> Node:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    budget = [MOST_NODES]

    def convert(node: object, depth: int = 0) -> Node:
        budget[0] -= 1
        if budget[0] < 0 or depth > 50:
            raise SettingsError([Complaint(name, 1, "(file)", "expands to too much", "fewer anchors, less depth")])
        if isinstance(node, MappingNode):
            pairs: list[tuple[str, int, Node]] = []
            seen: set[str] = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                word = str(key.value) if isinstance(key, ScalarNode) else "?"
                if word in seen:
                    complaints.append(Complaint(name, line, word, "stands here twice", "each key once"))
                    continue
                seen.add(word)
                found = convert(value, depth + 1)
                # the parser puts a value that is not there where the next thing begins
                pairs.append((word, line, replace(found, line=line) if found.kind == "null" else found))
            return Node(node.start_mark.line + 1, None, "map", pairs=tuple(pairs))
        if isinstance(node, SequenceNode):
            return Node(node.start_mark.line + 1, None, "list", items=tuple(convert(item, depth + 1) for item in node.value))
        if isinstance(node, ScalarNode):
            tag = str(node.tag).rpartition(":")[2]
            return Node(node.start_mark.line + 1, str(node.value), _TAGS.get(tag, "string"))
        return Node(1, None, "null")

    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise SettingsError([Complaint(name, line, "(syntax)", str(error.problem or error.context or "is no YAML"))]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(
            [Complaint(name, 1, "(syntax)", str(error).splitlines()[0] if str(error) else "is no YAML")]
        ) from None
    if root is None:
        return Node(1, None, "null")
    return convert(root)
