"""Filtering in place: `word`, `!word` inverse, `-f wrd` fuzzy."""

from __future__ import annotations

from msgspec import Struct
from textual import events

from cockpit.tui.ink import EMPTY, Line, t


def subsequence(needle: str, hay: str) -> bool:
    """Whether the letters of `needle` come in `hay` in this order."""
    rest = iter(hay)
    return all(letter in rest for letter in needle)


class Filter(Struct):
    """What is typed after `/`. It stays after enter, until esc."""

    text: str = ""
    typing: bool = False

    @property
    def active(self) -> bool:
        return bool(self.text) or self.typing

    def keeps(self, words: str) -> bool:
        needle = self.text.lower()
        if not needle or needle in ("!", "-f", "-f "):
            return True
        words = words.lower()
        if needle.startswith("!"):
            return needle[1:] not in words
        if needle.startswith("-f "):
            return subsequence(needle[3:].replace(" ", ""), words)
        return needle in words

    def type(self, event: events.Key) -> None:
        """Takes a key while `typing`."""
        if event.key == "escape":
            self.text, self.typing = "", False
        elif event.key == "enter":
            self.typing = False
        elif event.key == "backspace":
            self.text = self.text[:-1]
        elif event.key == "ctrl+u":
            self.text = ""
        elif event.is_printable and event.character:
            self.text += event.character

    def line(self) -> Line:
        if not self.active:
            return EMPTY
        caret = t(" ", "ink on accent") if self.typing else EMPTY
        return t("/", "accent b") + t(self.text, "text") + caret


def typed_line(narrowing: Filter, search: Filter) -> Line:
    """What a heading shows of both."""
    return narrowing.line() or (t("search ", "muted") + search.line() if search.active else EMPTY)
