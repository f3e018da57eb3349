"""The rules of .sops.yaml: which files they name, for whom, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.domain.checkup import Recipient, Rule
from cockpit.domain.errors import UsageError
from cockpit.domain.text import plain

RULES_MOST = 1024 * 1024
"""Bytes of .sops.yaml that are read."""
_DEEPEST = 20
"""Mappings that `<<` names one through the other."""


@dataclass
class Rules:
    """`file` is read again when it changes. A rule without a path is a default, and says of no file that it is a secret."""

    file: Path
    _stamp: tuple[int, int] | None = None
    _patterns: list[re.Pattern[str]] = field(default_factory=list)

    def names(self, path: str) -> bool:
        """Whether a rule with a path matches; the path is relative to the rules' folder."""
        self._refresh()
        return any(pattern.search(path) for pattern in self._patterns)

    def _refresh(self) -> None:
        try:
            found = self.file.stat()
        except OSError:
            self._stamp, self._patterns = None, []
            return
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._stamp, self._patterns = stamp, _patterns(self.file)


def _patterns(file: Path) -> list[re.Pattern[str]]:
    try:
        rules = read(file)
    except UsageError:
        return []
    out = []
    for rule in rules:
        if rule.pattern:
            try:
                out.append(re.compile(rule.pattern))
            except re.error:
                # Go's syntax where it differs from Python's: sops decides when it encrypts
                continue
    return out


def read(file: Path) -> tuple[Rule, ...]:
    """In order. UsageError where it cannot be read, or is no YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import SequenceNode

    try:
        data = file.read_bytes()[:RULES_MOST]
    except OSError as error:
        raise UsageError(f"{file.name} cannot be read", error.strerror or "") from None
    try:
        root: Any = YAML(typ="rt", pure=True).compose(data.decode())
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise UsageError(f"{file.name} is no YAML", plain(first)) from None
    found = _value(root, "creation_rules")
    return tuple(_rule(node) for node in found.value) if isinstance(found, SequenceNode) else ()


def _value(node: Any, name: str, depth: int = 0) -> Any:  # noqa: ANN401 - ruamel's nodes
    """Of a mapping, or of what `<<` merges into it; None where nothing stands there."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if not isinstance(node, MappingNode) or depth > _DEEPEST:
        return None
    merged: list[Any] = []
    for key, value in node.value:
        if key.value == name:
            return value
        if key.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
    return next((found for other in merged if (found := _value(other, name, depth + 1)) is not None), None)


def _rule(node: Any) -> Rule:  # noqa: ANN401 - ruamel's nodes
    from ruamel.yaml.nodes import ScalarNode

    pattern = _value(node, "path_regex")
    told = str(pattern.value) if isinstance(pattern, ScalarNode) and not str(pattern.tag).endswith(":null") else ""
    recipients: dict[str, Recipient] = {}
    for one in _recipients(node):
        recipients.setdefault(one.key, one)
    return Rule(told, node.start_mark.line + 1, tuple(recipients.values()))


def _recipients(node: Any) -> Iterator[Recipient]:  # noqa: ANN401 - ruamel's nodes
    """`age:` as words with commas or as a list; the same in `key_groups`."""
    from ruamel.yaml.nodes import ScalarNode, SequenceNode

    age, groups = _value(node, "age"), _value(node, "key_groups")
    if isinstance(age, ScalarNode):
        for word in str(age.value).split(","):
            if word.strip():
                yield Recipient(_key(word), str(age.anchor or ""))
    elif isinstance(age, SequenceNode):
        for item in age.value:
            if isinstance(item, ScalarNode):
                yield Recipient(_key(str(item.value)), str(item.anchor or ""))
    for group in groups.value if isinstance(groups, SequenceNode) else ():
        yield from _recipients(group)


def _key(word: str) -> str:
    """Without the comment of an ssh key."""
    return " ".join(plain(word).split()[:2])
