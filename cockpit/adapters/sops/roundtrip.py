"""Whether what sops gives back says what was given to it: it rewrites octal numbers, dates and more without a word."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

_NOTHING = ("", "~", "null", "Null", "NULL")


def lost(kind: str, wanted: bytes, got: bytes) -> str:
    """The first place that differs in meaning; empty for none. Layout, quotes and comments may differ."""
    if wanted == got:
        return ""
    if kind == "binary":
        return "the content"
    try:
        if kind == "dotenv":
            return _lines(wanted, got)
        if kind == "ini":
            return _differs(_ini(wanted.decode()), _ini(got.decode()), "")
        if kind == "json":
            return _differs(json.loads(wanted, parse_float=str), json.loads(got, parse_float=str), "")
        return _differs(_yaml(wanted.decode()), _yaml(got.decode()), "")
    except Exception as error:
        # a parser's words may quote the file
        return f"all of it: {type(error).__name__}"


def _lines(wanted: bytes, got: bytes) -> str:
    before = [(number, line) for number, line in enumerate(wanted.split(b"\n"), 1) if line.strip()]
    after = [line for line in got.split(b"\n") if line.strip()]
    for (number, line), other in zip(before, after, strict=False):
        if line.rstrip(b"\r") != other.rstrip(b"\r"):
            return f"line {number}"
    return "" if len(before) == len(after) else "the number of lines"


def _ini(text: str) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    section = out.setdefault("DEFAULT", {})
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("[") and bare.endswith("]"):
            section = out.setdefault(bare[1:-1], {})
        elif bare and bare[0] not in "#;":
            key, _, value = bare.partition("=")
            section[key.strip()] = value.strip().strip("\"'`")
    return out


def _yaml(text: str) -> list[Any]:
    from ruamel.yaml import YAML

    # every scalar as it is written: 0755 is not 493 then
    return list(YAML(typ="base", pure=True).load_all(StringIO(text)))


def _differs(a: Any, b: Any, place: str) -> str:  # noqa: ANN401
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            inner = f"{place}.{key}".lstrip(".")
            if key not in a or key not in b:
                return inner
            if found := _differs(a[key], b[key], inner):
                return found
        return ""
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return place or "the number of documents"
        return next((found for x, y in zip(a, b, strict=True) if (found := _differs(x, y, place))), "")
    return "" if _same(a, b) else place or "the top"


def _same(a: object, b: object) -> bool:
    if a == b:
        return True
    one, other = ("" if value is None else str(value) for value in (a, b))
    if one in _NOTHING and other in _NOTHING:
        return True
    return one.lower() == other.lower() in ("true", "false")
