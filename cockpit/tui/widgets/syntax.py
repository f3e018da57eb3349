"""Colours for the lines in sight, by Pygments' lexers."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pygments.lexer import Lexer

BEFORE = 150
"""Lines above the first one in sight that are read too: what began there (a string of several lines) is mostly known then."""
Run = tuple[int, str]
"""(characters, style words)."""
_LEXERS = {
    ".nix": "nix", ".yaml": "yaml", ".yml": "yaml", ".tf": "terraform", ".tfvars": "terraform", ".hcl": "terraform",
    ".md": "markdown", ".json": "json", ".lock": "json", ".sh": "bash", ".bash": "bash", ".toml": "toml", ".env": "ini",
    ".ini": "ini",
    ".cfg": "ini", ".conf": "ini", ".service": "ini", ".py": "python", ".css": "css", ".js": "javascript", ".html": "html",
    ".xml": "xml",
}  # fmt: skip
_NAMES = {"Makefile": "make", "Dockerfile": "docker", ".envrc": "bash", "Caddyfile": "nginx"}


def lexer_of(path: str) -> str:
    """Pygments' name of the language; empty where the file has no colours."""
    name = PurePosixPath(path).name
    if name == ".env" or name.startswith(".env."):
        return "ini"
    return _NAMES.get(name) or _LEXERS.get(PurePosixPath(name.lower()).suffix, "")


@lru_cache(maxsize=16)
def _lexer(name: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, stripall=False, ensurenl=False)


def colours(language: str, lines: list[str]) -> list[list[Run]]:
    """Runs of one style per line; they cover the line."""
    if not language:
        return [[(len(line), "text")] for line in lines]
    out: list[list[Run]] = [[]]
    for kind, text in _lexer(language).get_tokens("\n".join(line.replace("\r", " ") for line in lines)):
        style = _style(kind)
        for number, part in enumerate(text.split("\n")):
            if number:
                out.append([])
            if part:
                out[-1].append((len(part), style))
    return [_whole(runs, len(line)) for runs, line in zip(out + [[] for _ in lines], lines, strict=False)]


def _whole(runs: list[Run], length: int) -> list[Run]:
    """Exactly as long as the line, whatever the lexer made of it."""
    covered = sum(count for count, _ in runs)
    if covered == length:
        return runs
    return [*runs, (length - covered, "text")] if covered < length else [(length, "text")]


@lru_cache(maxsize=512)
def _style(kind: Any) -> str:  # noqa: ANN401
    from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Punctuation, String

    for wanted, style in (
        (Comment, "muted"), (String.Interpol, "busy"), (String.Symbol, "accent"),
        (String, "good"), (Number, "busy"), (Literal.Scalar, "good"),
        (Keyword.Constant, "busy"), (Keyword, "accent"), (Name.Tag, "accent"), (Name.Attribute, "accent"),
        (Name.Builtin, "busy"), (Name.Function, "accent"), (Generic.Heading, "accent b"), (Generic.Subheading, "accent b"),
        (Generic.Strong, "text b"), (Generic.Emph, "text i"), (Literal, "good"), (Punctuation, "text"),
    ):  # fmt: skip
        if kind in wanted:
            return style
    return "text"
