"""Saving changes only what changed: the real sops encrypts anew, then the old cipher text of every equal value is put back.

sops gives each encryption a new data key and each value a new IV, so that git shows every line of the file as changed. Here
the values of the new file are opened with its key, and those that were in the old file at the same place keep the old cipher
text; the others are sealed with the old data key and a fresh IV, and so is the MAC. Any doubt raises Doubt: the caller takes
the whole new file then.

Facts of the format (getsops/sops, aes/cipher.go and sops.go): AES-256-GCM with an IV of 32 bytes; the additional data of a
value is its path, `a:b:`, without indices of lists; of a comment, the path of what it stands in; of the MAC, lastmodified.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TOKEN = re.compile(r"ENC\[AES256_GCM,data:([^,\]]*),iv:([^,\]]+),tag:([^,\]]+),type:(\w+)\]")
_METADATA = {
    "yaml": re.compile(r"(?m)^sops:$"),
    "json": re.compile(r'(?m)^\s*"sops": \{$'),
    "dotenv": re.compile(r"(?m)^sops_"),
    "ini": re.compile(r"(?m)^\[sops\]$"),
}
_RULES = (
    "unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex", "unencrypted_comment_regex",
    "encrypted_comment_regex", "mac_only_encrypted", "key_groups", "shamir_threshold",
)  # fmt: skip
Path = tuple[str, ...]


class Doubt(Exception):
    """It is not certain that the spliced file would be right. Its words hold no values."""


class _Sealed(Struct, frozen=True):
    """An encrypted file, taken apart."""

    text: str
    end: int
    """Where sops' own part begins."""
    leaves: Sequence[Path]
    """Paths of encrypted values in document order, comments left out."""
    folders: Sequence[Path]
    """Everything that a comment can stand in."""
    metadata: Mapping[str, Any]
    keys: Sequence[tuple[str, str]]
    """(recipient, the data key encrypted for it)."""


def splice(kind: str, before: bytes, after: bytes, identities: Sequence[Any]) -> bytes:
    """`after` with the data key, the equal values and the recipients' part of `before`. `identities` are pyrage's.

    Raises Doubt: other rules or recipients, no age key, damaged, or a format that has no values to tell apart.
    """
    if kind not in _METADATA:
        raise Doubt("one value")
    try:
        old, new = _apart(kind, before.decode()), _apart(kind, after.decode())
        return _spliced(old, new, identities).encode()
    except Doubt:
        raise
    except Exception as error:
        # whatever a parser stumbles over; its words may quote the file
        raise Doubt(type(error).__name__) from None


def _spliced(old: _Sealed, new: _Sealed, identities: Sequence[Any]) -> str:
    if any((old.metadata.get(rule) or "") != (new.metadata.get(rule) or "") for rule in _RULES):
        raise Doubt("other rules")
    if [who for who, _ in old.keys] != [who for who, _ in new.keys]:
        raise Doubt("other recipients")
    others = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault")
    if any(old.metadata.get(other) or new.metadata.get(other) for other in others):
        raise Doubt("keys other than age")
    key, fresh = _data_key(old.keys, identities), _data_key(new.keys, identities)
    # of equal values in one list, each takes its own
    known: dict[tuple[bytes, str, bytes], list[str]] = {}
    for match, place, plain in _values(old, key):
        known.setdefault((place, match[4], plain), []).append(match[0])
    out: list[str] = []
    at = 0
    for match, place, plain in _values(new, fresh):
        same = known.get((place, match[4], plain))
        token = (same.pop(0) if len(same) > 1 else same[0]) if same else _seal(key, plain, match[4], place)
        out += [new.text[at : match.start()], token]
        at = match.end()
    out.append(new.text[at : new.end])
    stamp, old_stamp = str(new.metadata["lastmodified"]), str(old.metadata["lastmodified"])
    mac = _TOKEN.fullmatch(str(new.metadata["mac"]))
    tail = old.text[old.end :]
    if mac is None or tail.count(old_stamp) != 1 or tail.count(str(old.metadata["mac"])) != 1:
        raise Doubt("metadata")
    sealed = _seal(key, _open(fresh, mac, stamp.encode()), "str", stamp.encode())
    return "".join(out) + tail.replace(str(old.metadata["mac"]), sealed).replace(old_stamp, stamp)


def _apart(kind: str, text: str) -> _Sealed:
    match = _METADATA[kind].search(text)
    if match is None or "\r" in text:
        raise Doubt("metadata")
    leaves, folders, metadata = {"yaml": _yaml, "json": _json}.get(kind, _flat)(text)
    age = metadata.get("age") or ()
    keys = [(str(entry["recipient"]), str(entry["enc"])) for entry in age] if not isinstance(age, str) else []
    keys = keys or list(_flat_keys(metadata))
    return _Sealed(text, match.start(), leaves, folders, metadata, keys)


def _yaml(text: str) -> tuple[list[Path], list[Path], dict[str, Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    leaves: list[Path] = []
    folders: list[Path] = [()]

    def walk(node: Any, path: Path) -> None:  # noqa: ANN401
        if isinstance(node, MappingNode):
            folders.append(path)
            for key, value in node.value:
                walk(value, (*path, str(key.value)))
        elif isinstance(node, SequenceNode):
            folders.append(path)
            for value in node.value:
                walk(value, path)
        elif (match := _TOKEN.fullmatch(str(node.value))) and match[4] != "comment":
            leaves.append(path)

    top: Any = YAML(typ="safe", pure=True).compose(text)
    for key, value in top.value:
        if key.value != "sops":
            walk(value, (str(key.value),))
    loaded: Any = YAML(typ="base", pure=True).load(text)
    return leaves, folders, loaded["sops"]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object in its order."""


def _json(text: str) -> tuple[list[Path], list[Path], dict[str, Any]]:
    leaves: list[Path] = []

    def walk(value: Any, path: Path) -> None:  # noqa: ANN401
        if isinstance(value, _Pairs):
            for key, inner in value:
                walk(inner, (*path, key))
        elif isinstance(value, list):
            for inner in value:
                walk(inner, path)
        elif isinstance(value, str) and _TOKEN.fullmatch(value):
            leaves.append(path)

    for key, value in json.loads(text, object_pairs_hook=_Pairs):
        if key != "sops":
            walk(value, (key,))
    return leaves, [()], json.loads(text)["sops"]


def _flat(text: str) -> tuple[list[Path], list[Path], dict[str, Any]]:
    """dotenv, and ini with its sections."""
    leaves: list[Path] = []
    folders: list[Path] = [()]
    metadata: dict[str, Any] = {}
    section: str | None = None
    ini = re.search(r"(?m)^\[sops\]$", text) is not None
    for line in text.split("\n"):
        if ini and (match := re.match(r"\[(.*)\]$", line)):
            section = match[1]
            folders.append((section,))
            continue
        key, _, value = line.partition("=")
        key, value = (key.strip(), value.strip()) if ini else (key, value)
        if section == "sops" or (not ini and key.startswith("sops_")):
            metadata[key.removeprefix("sops_")] = value.replace("\\n", "\n")
        elif line[:1] not in "#;" and _TOKEN.fullmatch(value):
            leaves.append((section or "DEFAULT", key) if ini else (key,))
    return leaves, folders, metadata


def _flat_keys(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number = 0
    while (key := metadata.get(f"age__list_{number}__map_enc")) is not None:
        yield str(metadata.get(f"age__list_{number}__map_recipient")), str(key)
        number += 1


def _data_key(keys: Sequence[tuple[str, str]], identities: Sequence[Any]) -> AESGCM:
    import pyrage
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    for _, sealed in keys:
        try:
            return AESGCM(pyrage.decrypt(sealed.encode(), list(identities)))
        except pyrage.DecryptError:
            continue
    raise Doubt("no age key")


def _values(sealed: _Sealed, key: AESGCM) -> Iterator[tuple[re.Match[str], bytes, bytes]]:
    """(where it stands, its additional data, plain text) of every encrypted value and comment."""
    leaves = iter(sealed.leaves)
    comments = [(":".join(folder) + ":").encode() for folder in sealed.folders]
    for match in _TOKEN.finditer(sealed.text, 0, sealed.end):
        if match[4] != "comment":
            path = next(leaves, None)
            if path is None:
                raise Doubt("more values than paths")
            place = (":".join(path) + ":").encode()
            yield match, place, _open(key, match, place)
            continue
        for place in comments:
            try:
                plain = _open(key, match, place)
            except Doubt:
                continue
            yield match, place, plain
            break
        else:
            raise Doubt("a comment")
    if next(leaves, None) is not None:
        raise Doubt("fewer values than paths")


def _open(key: AESGCM, match: re.Match[str], place: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    data, iv, tag = (base64.b64decode(match[group]) for group in (1, 2, 3))
    try:
        return key.decrypt(iv, data + tag, place)
    except InvalidTag:
        raise Doubt("a value") from None


def _seal(key: AESGCM, plain: bytes, kind: str, place: bytes) -> str:
    iv = os.urandom(32)
    sealed = key.encrypt(iv, plain, place)
    data, iv64, tag = (base64.b64encode(part).decode() for part in (sealed[:-16], iv, sealed[-16:]))
    return f"ENC[AES256_GCM,data:{data},iv:{iv64},tag:{tag},type:{kind}]"
