"""Colours by meaning, shapes, and how both look without colour or beyond ASCII. Nothing else names a colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from cockpit.domain.settings import Theme
from cockpit.tui.ink import Line, Span

_NAMES = ["bg", "bar", "raised", "sel", "sel2", "line", "text", "muted", "faint", "accent", "good", "busy", "warn", "bad", "ink"]


def _palette(values: str) -> Mapping[str, str]:
    return MappingProxyType(dict(zip(_NAMES, values.split(), strict=True)))


PALETTES: Mapping[Theme, Mapping[str, str]] = MappingProxyType(
    {
        Theme.DARK: _palette(
            "#14161b #1a1d24 #1f232b #27304a #22262f #2e333d #d6dae1 #949cab "
            "#6d7585 #8fabff #71c48d #64c4dd #e5b567 #f47a72 #14161b"
        ),
        Theme.LIGHT: _palette(
            "#fbfbf8 #f2f2ed #ecece6 #dde4fb #ebebe5 #d8d8d0 #22262d #5d6471 "
            "#7f8590 #3553c4 #1d7a45 #0a6d8b #8d5b00 #bd2a20 #ffffff"
        ),
        Theme.CONTRAST: _palette(
            "#000000 #000000 #101010 #0033a0 #2a2a2a #808080 #ffffff #d0d0d0 "
            "#a8a8a8 #9cc2ff #5cff8f #5ff2ff #ffd84a #ff8a80 #000000"
        ),
    }
)
"""`ink` is the text on a filled chip."""

SHAPES: Mapping[str, str] = MappingProxyType(
    dict(
        pair.split("=", 1)
        for pair in [
            "●=*",
            "◐=%",
            "◓=%",
            "◑=%",
            "◒=%",
            "○=o",
            "◌=?",
            "▲=!",
            "✕=X",
            "≠=#",
            "‖==",
            "↺=<",
            "⊘=-",
            "◆=@",
            "◇=P",
            "•=.",
            "✓=+",
            "↑=^",
            "↓=v",
            "↻=~",
            "▾=v",
            "▸=>",
            "▌=>",
            "▎=|",
            "▁=_",
            "▂=_",
            "▃=.",
            "▄=.",
            "▅=o",
            "▆=o",
            "…=~",
            "→=>",
            "←=<",
            "·=-",
            "─=-",
            "━==",
            "│=|",
            "╌=-",
            "┆=:",
            "±=~",
            "×=x",
            "≥=>",
            "–=-",
            "—=-",
            "›=>",
        ]
    )
)
"""Every shape that cockpit draws, and what stands for it in ASCII."""

_TO_ASCII = str.maketrans(dict(SHAPES))
TURNING = "◐◓◑◒"
_BARE = {"muted": "dim", "faint": "dim", "line": "dim", "accent": "bold", "warn": "bold", "bad": "bold"}
_ATTRIBUTES = {"b": "bold", "u": "underline", "i": "italic"}
_REVERSED = ("sel", "accent")
_CHIPS = ("warn", "bad")


@dataclass(frozen=True)
class Skin:
    """Turns lines into what the terminal gets. A span's style is words: a palette name, `b` `i` `u`, `on` palette name."""

    theme: Theme = Theme.DARK
    ascii: bool = False
    colour: bool = True
    _styles: dict[str, Style] = field(default_factory=dict, compare=False)

    @property
    def palette(self) -> Mapping[str, str]:
        return PALETTES[self.theme]

    def style(self, spec: str) -> Style:
        found = self._styles.get(spec)
        if found is None:
            found = self._styles[spec] = self._make(spec)
        return found

    def _make(self, spec: str) -> Style:
        words = iter(spec.split())
        flags: dict[str, bool] = {}
        colour = ground = None
        for word in words:
            if word == "on":
                ground = next(words)
            elif word in _ATTRIBUTES:
                flags[_ATTRIBUTES[word]] = True
            else:
                colour = word
        if self.colour:
            return Style(
                color=self.palette[colour or "text"],
                bgcolor=self.palette[ground or "bg"],
                bold=flags.get("bold"),
                italic=flags.get("italic"),
                underline=flags.get("underline"),
            )
        if ground in _REVERSED:
            return Style(reverse=True, bold=flags.get("bold"))
        if colour in _BARE:
            flags[_BARE[colour]] = True
        if ground in _CHIPS:
            flags = {"bold": True}
        return Style(bold=flags.get("bold"), dim=flags.get("dim"), italic=flags.get("italic"), underline=flags.get("underline"))

    def strip(self, line: Line, width: int, ground: str = "bg") -> Strip:
        """One row of exactly `width` cells; what names no ground stands on `ground`."""
        return _strip(self, line, width, ground)

    def segment(self, span: Span, ground: str) -> Segment:
        text, spec = span
        if " on " not in f" {spec}":
            spec = f"{spec} on {ground}"
            if ground == "sel" and "faint" in spec:
                spec = spec.replace("faint", "muted")
        return Segment(text.translate(_TO_ASCII) if self.ascii else text, self.style(spec))


@lru_cache(maxsize=4096)
def _cached(skin: _ById, line: Line, width: int, ground: str) -> Strip:
    segments = [skin.skin.segment(span, ground) for span in line]
    return Strip(segments).adjust_cell_length(width, skin.skin.style(f"text on {ground}"))


class _ById:
    """A cache key that compares by identity, so that the big mapping inside a skin is never hashed."""

    __slots__ = ("skin",)

    def __init__(self, skin: Skin) -> None:
        self.skin = skin

    def __hash__(self) -> int:
        return id(self.skin)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.skin is self.skin


def _strip(skin: Skin, line: Line, width: int, ground: str) -> Strip:
    return _cached(_ById(skin), line, width, ground)
