"""Which part of a line of a decrypted file is a value to mask. In doubt all of it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

DOTS = "•" * 12
"""Always as many: their number says nothing of the value."""
_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'#&*!|>{}\[\]%@`,-][^#"']*?)"""
_YAML = re.compile(rf"^(\s*(?:-\s+)*)((?:{_KEY})\s*:(?:\s+|$))?(.*)$")
_JSON = re.compile(r'^(\s*)("(?:[^"\\]|\\.)*"\s*:\s*)?(.*?)(,?\s*)$')
_PAIR = re.compile(r"^(\s*(?:export\s+)?)([A-Za-z_][^=\s]*\s*=\s*)(.*)$")
_BLOCK = re.compile(r"^[|>][+-]?\d?[+-]?(?:\s+#.*|\s*)$")
_TELLING = re.compile(r"[:=]|[^\s]{12,}")
"""What a comment may hold of a secret that was commented out."""


_KINDS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".env": "dotenv", ".tfvars": "dotenv", ".ini": "ini"}


def kind_of(path: str) -> str:
    """Format of a decrypted file by its name; `binary` where nothing in it is told apart, so that all of it is masked."""
    name = PurePosixPath(path.lower()).name
    return "dotenv" if name == ".env" or name.startswith(".env.") else _KINDS.get(PurePosixPath(name).suffix, "binary")


def masks(kind: str, lines: Sequence[str], plain: frozenset[str]) -> list[tuple[int, int] | None]:
    """Per line the columns that are masked; None where there is nothing to hide. `plain` are lines that are no secret."""
    if kind == "yaml":
        found = _yaml(lines)
    elif kind == "json":
        found = [_json(line) for line in lines]
    elif kind in ("dotenv", "ini"):
        found = [_pair(line) for line in lines]
    else:
        found = [_all(line) for line in lines]
    return [None if line.strip() in plain else mask for line, mask in zip(lines, found, strict=True)]


def _all(line: str, start: int = 0) -> tuple[int, int] | None:
    end = len(line.rstrip())
    return (start, end) if end > start else None


def _comment(line: str) -> tuple[int, int] | None:
    """Words are shown; what looks like a value that was commented out is not."""
    start = len(line) - len(line.lstrip())
    return _all(line, start + 1) if _TELLING.search(line[start + 1 :]) else None


def _yaml(lines: Sequence[str]) -> list[tuple[int, int] | None]:
    out: list[tuple[int, int] | None] = []
    block: int | None = None
    """Indent of the key whose block of text this is."""
    quote = ""
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if block is not None and (not line.strip() or indent > block):
            out.append(_all(line, indent))
            continue
        block = None
        if quote:
            out.append(_all(line, indent))
            quote = "" if _closes(line, quote) else quote
            continue
        bare = line.strip()
        if bare.startswith("#"):
            out.append(_comment(line))
            continue
        if bare in ("", "---", "..."):
            out.append(None)
            continue
        match = _YAML.match(line)
        lead, key, value = (match[1], match[2] or "", match[3]) if match else ("", "", line)
        start = len(lead) + len(key)
        if _BLOCK.match(value):
            # what a block of text stands under: the key, or the dash that it follows
            block = len(lead) if key else max(0, len(lead.rstrip()) - 1)
            out.append(_all(line, start) if "#" in value else None)
            continue
        if value[:1] in "\"'" and value and not _closes(value[1:], value[0]):
            quote = value[0]
        out.append(None if not value.strip() or (value.startswith("#") and not _comment(value)) else _all(line, start))
    return out


def _closes(text: str, quote: str) -> bool:
    if quote == "'":
        return text.count("'") % 2 == 1
    return re.search(r'(?<!\\)(?:\\\\)*"', text) is not None


def _json(line: str) -> tuple[int, int] | None:
    match = _JSON.match(line)
    if match is None:
        return _all(line)
    value = match[3].strip()
    if not value or not value.strip("{}[], "):
        return None
    return match.start(3), match.end(3)


def _pair(line: str) -> tuple[int, int] | None:
    bare = line.strip()
    if not bare or (bare.startswith("[") and bare.endswith("]")):
        return None
    if bare[0] in "#;":
        return _comment(line)
    match = _PAIR.match(line)
    return _all(line, match.start(3)) if match else _all(line)
