"""secrets/template.yaml, typed: which encrypted files there are, which keys in them, and how each value comes to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from cockpit.domain.errors import UsageError

TEMPLATE = "secrets/template.yaml"
OPERATOR = "operator"
"""The folder that no host reads."""
PLACEHOLDER = "fill-in:"
"""What a value begins with that nobody has given yet."""
_FILE = re.compile(r"^[a-z0-9][a-z0-9_.-]*/[a-z0-9][A-Za-z0-9_.-]*\.yaml$")
_KEY = re.compile(r"^[A-Za-z0-9][\w-]*(?:\.[A-Za-z0-9][\w-]*)*$")
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")
_USER = re.compile(r"^[A-Za-z0-9_.@-]{1,64}$")


class Ref(Struct, frozen=True):
    """A key of the template."""

    file: str
    """Below secrets/."""
    key: str

    def __str__(self) -> str:
        return f"{self.file} {self.key}"


class Random(Struct, frozen=True):
    """Made: so many random bytes, in hex."""

    bytes: int
    tell: bool = False
    """A person has to type it: it is told once."""


class Htpasswd(Struct, frozen=True):
    """Made: a line of htpasswd."""

    user: str
    password: Ref | None = None
    """Whose value is the password; without it one is made and told."""


class DozzleUsers(Struct, frozen=True):
    """Made: Dozzle's users.yml with one user."""

    user: str
    password: Ref | None = None


class SshHostKey(Struct, frozen=True):
    """Made with the homelab: the private ssh host key of the host that the key is named after."""


class Ask(Struct, frozen=True):
    """Given by a person under this name."""

    name: str
    what: str = ""
    default: str | None = None


class Later(Struct, frozen=True):
    """To be had only once something runs."""

    what: str


class Same(Struct, frozen=True):
    ref: Ref


Maker = Random | Htpasswd | DozzleUsers | SshHostKey | Ask | Later | Same


class Template(Struct, frozen=True):
    files: Mapping[str, Mapping[str, Maker]]
    """Path below secrets/ -> dotted key -> how its value comes to be."""

    def hosts(self) -> tuple[str, ...]:
        """The hosts that have files, in order."""
        return tuple(dict.fromkeys(folder for file in self.files if (folder := file.partition("/")[0]) != OPERATOR))

    def asks(self) -> dict[str, Ask]:
        """What a person can give, by name, in the order of the template."""
        found: dict[str, Ask] = {}
        for _, maker in self.makers():
            if isinstance(maker, Ask):
                found.setdefault(maker.name, maker)
        return found

    def makers(self) -> Iterator[tuple[Ref, Maker]]:
        for file, keys in self.files.items():
            for key, maker in keys.items():
                yield Ref(file, key), maker


def parse(tree: object, where: str = TEMPLATE) -> Template:
    """From the YAML as it was loaded. UsageError names the place of the first mistake."""
    if not isinstance(tree, dict) or tree.get("version") != 1 or not isinstance(tree.get("files"), dict) or not tree["files"]:
        raise UsageError(f"{where} cannot be used", "it needs version: 1 and files:", "docs/secrets.md shows its form")
    files: dict[str, dict[str, Maker]] = {}
    for file, keys in tree["files"].items():
        if not isinstance(file, str) or not _FILE.match(file):
            raise _mistake(where, str(file), "is no HOST/NAME.yaml or operator/NAME.yaml")
        if not isinstance(keys, dict) or not keys:
            raise _mistake(where, file, "names no key")
        files[file] = {}
        for key, raw in keys.items():
            if not isinstance(key, str) or not _KEY.match(key):
                raise _mistake(where, f"{file} {key}", "is no key: letters, digits, - and _, levels divided by dots")
            if any(key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in files[file]):
                raise _mistake(where, f"{file} {key}", "is a value and holds others at once")
            files[file][key] = _maker(where, f"{file} {key}", raw)
    template = Template(files)
    for place, maker in template.makers():
        ref = maker.ref if isinstance(maker, Same) else getattr(maker, "password", None)
        if ref is not None and ref.key not in files.get(ref.file, {}):
            raise _mistake(where, str(place), f"points to {ref}, which the template does not have")
    return template


def _maker(where: str, place: str, raw: Any) -> Maker:  # noqa: ANN401 - as YAML gave it
    if not isinstance(raw, dict):
        raise _mistake(where, place, "is no mapping such as {random: 24}")
    kinds = [kind for kind in _FIELDS if kind in raw]
    if len(kinds) != 1:
        raise _mistake(where, place, f"needs exactly one of {', '.join(_FIELDS)}")
    kind = kinds[0]
    if unknown := [str(name) for name in raw if name != kind and name not in _FIELDS[kind]]:
        raise _mistake(where, place, f"does not know {', '.join(unknown)} beside {kind}")
    value = raw[kind]
    if kind == "random":
        if not isinstance(value, int) or isinstance(value, bool) or not 8 <= value <= 1024:
            raise _mistake(where, place, "random: is a number of bytes, 8 to 1024")
        return Random(value, raw.get("tell") is True)
    if kind == "ssh-host-key":
        return SshHostKey()
    if not isinstance(value, str) or not value.strip():
        raise _mistake(where, place, f"{kind}: is no text")
    if kind in ("htpasswd", "dozzle-users"):
        if not _USER.match(value):
            raise _mistake(where, place, f"{kind}: is no user name")
        password = _ref(where, place, raw["password"]) if "password" in raw else None
        return Htpasswd(value, password) if kind == "htpasswd" else DozzleUsers(value, password)
    if kind == "ask":
        if not _NAME.match(value):
            raise _mistake(where, place, "ask: is no name in lower-case letters, digits and -")
        default = raw.get("default")
        return Ask(value, str(raw.get("what") or ""), None if default is None else str(default))
    return Later(value) if kind == "later" else Same(_ref(where, place, value))


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "random": ("tell",),
    "htpasswd": ("password",),
    "dozzle-users": ("password",),
    "ssh-host-key": (),
    "ask": ("what", "default"),
    "later": (),
    "same": (),
}


def _ref(where: str, place: str, raw: object) -> Ref:
    file, space, key = str(raw).partition(" ")
    if not space or not key:
        raise _mistake(where, place, "a reference is written FILE KEY")
    return Ref(file, key)


def _mistake(where: str, place: str, why: str) -> UsageError:
    return UsageError(f"{where} cannot be used", f"{place}: {why}", "docs/secrets.md shows its form")
