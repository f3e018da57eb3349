"""Values of secrets, made after the template. Nothing here touches a disk or a program."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from cockpit.domain.errors import UsageError
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import (
    PLACEHOLDER,
    Ask,
    DozzleUsers,
    Htpasswd,
    Later,
    Maker,
    Random,
    Ref,
    Same,
    SshHostKey,
    Template,
)

ROUNDS = 10
"""Of bcrypt: Traefik checks a password with every request."""
PASSWORD = 12
"""Random bytes of a password that is made beside its hash."""


class Told(Struct, frozen=True):
    """A value that a person has to know."""

    place: Ref
    user: str
    """Empty where none goes with it."""
    value: Secret


class Open(Struct, frozen=True):
    """A value that nobody has given yet."""

    place: Ref
    name: str
    """Of `--set NAME=...`; empty where it is to be had later only."""
    what: str


class Values(Struct, frozen=True):
    files: Mapping[str, Mapping[str, Secret]]
    """Path below secrets/ -> dotted key -> value."""
    told: tuple[Told, ...]
    open: tuple[Open, ...]


def make(
    template: Template,
    given: Mapping[str, Secret],
    host_keys: Mapping[str, Secret],
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Values:
    """Every value of the template. `given` is by the name that is asked for; `host_keys` are private ssh keys by host.

    A host whose private key is not here has no entry for it: it never leaves that host. UsageError: an unknown name, a value
    that cannot be, references in a circle.
    """
    asks = template.asks()
    if unknown := [name for name in given if name not in asks]:
        raise UsageError(
            f"there is no secret {unknown[0]!r} to set", f"the template asks for {', '.join(sorted(asks)) or 'none'}"
        )
    work = _Work(template, given, host_keys, random)
    files: dict[str, dict[str, Secret]] = {}
    for place, maker in template.makers():
        if isinstance(maker, SshHostKey) and place.key not in host_keys:
            continue
        files.setdefault(place.file, {})[place.key] = work.value(place)
    return Values(files, tuple(work.told), tuple(work.open))


def document(values: Mapping[str, Secret]) -> Secret:
    """The plain file: dotted keys become levels. JSON is YAML in which no value can be taken for a number or a date."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *levels, last = key.split(".")
        at = tree
        for level in levels:
            at = at.setdefault(level, {})
        at[last] = value.reveal().decode()
    return Secret(json.dumps(tree, ensure_ascii=False, indent=2).encode() + b"\n")


def hashed(password: str) -> str:
    """bcrypt, as htpasswd, Traefik and Dozzle know it."""
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()


class _Work:
    def __init__(
        self,
        template: Template,
        given: Mapping[str, Secret],
        host_keys: Mapping[str, Secret],
        random: Callable[[int], bytes],
    ) -> None:
        self._template = template
        self._given = given
        self._host_keys = host_keys
        self._random = random
        self._made: dict[Ref, Secret] = {}
        self._at: list[Ref] = []
        self.told: list[Told] = []
        self.open: list[Open] = []

    def value(self, place: Ref) -> Secret:
        if place in self._made:
            return self._made[place]
        if place in self._at:
            raise UsageError("the template cannot be carried out", f"{place} is made of itself", "mend its references")
        self._at.append(place)
        value = self._make(place, self._template.files[place.file][place.key])
        self._at.pop()
        self._made[place] = value
        return value

    def _make(self, place: Ref, maker: Maker) -> Secret:
        match maker:
            case Random(size, tell):
                value = Secret(self._random(size).hex().encode())
                if tell:
                    self.told.append(Told(place, "", value))
                return value
            case Htpasswd(user, ref):
                # the name that htpasswd writes for the same algorithm
                return Secret(f"{user}:{self._hash(place, user, ref).replace('$2b$', '$2y$', 1)}".encode())
            case DozzleUsers(user, ref):
                hashed_password = self._hash(place, user, ref)
                return Secret(f"users:\n  {user}:\n    name: {user}\n    password: {hashed_password}\n".encode())
            case SshHostKey():
                if place.key not in self._host_keys:
                    raise UsageError("the template cannot be carried out", f"{place} is a key that only the host has")
                return self._host_keys[place.key]
            case Same(ref):
                return self.value(ref)
            case Ask(name, what, default):
                if name in self._given:
                    return _text(name, self._given[name])
                if default is not None:
                    if PLACEHOLDER in default:
                        self.open.append(Open(place, name, what))
                    return Secret(default.encode())
                self.open.append(Open(place, name, what))
                return Secret(f"{PLACEHOLDER}{name}".encode())
            case Later(what):
                self.open.append(Open(place, "", what))
                return Secret(f"{PLACEHOLDER}{what}".encode())

    def _hash(self, place: Ref, user: str, ref: Ref | None) -> str:
        if ref is not None:
            return hashed(self.value(ref).reveal().decode())
        password = self._random(PASSWORD).hex()
        self.told.append(Told(place, user, Secret(password.encode())))
        return hashed(password)


def _text(name: str, value: Secret) -> Secret:
    """One that YAML and sops keep: text, not empty (sops leaves empty values plain)."""
    plain = value.reveal()
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise UsageError(f"the secret {name!r} cannot be used", "it is not UTF-8 text") from None
    if not text.strip():
        raise UsageError(f"the secret {name!r} is empty", "", "leave it out to give it later")
    if any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for c in text):
        raise UsageError(f"the secret {name!r} cannot be used", "it holds control characters")
    return value
