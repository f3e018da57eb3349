"""Questions at a terminal: a line each, with a default, asked again until the answer can be used."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from cockpit.cli.output import Pipe
from cockpit.domain.errors import UsageError
from cockpit.domain.text import lines, plain

Check = Callable[[str], object]


class Asker:
    """`line` reads one that is seen, `hidden` one that is not. The end of input is a UsageError."""

    def __init__(self, out: Pipe, line: Callable[[str], str] = input, hidden: Callable[[str], str] = getpass.getpass) -> None:
        self._out = out
        self._line = line
        self._hidden = hidden

    def say(self, text: str = "") -> None:
        self._out.line(text)

    def text(self, what: str, check: Check, default: str = "", *, optional: str = "") -> str:
        """The answer as it was typed, stripped. `optional` says what an empty one means."""
        shown = f" [{default}]" if default else f" ({optional})" if optional else ""
        while True:
            answer = self._read(self._line, f"{what}{shown}: ").strip() or default
            if not answer and optional:
                return ""
            if self._fits(check, answer):
                return answer

    def hidden(self, what: str) -> str:
        """Empty for what is to be given later."""
        return self._read(self._hidden, f"{what} (hidden; enter: later): ").strip()

    def yes(self, what: str) -> bool:
        while True:
            answer = self._read(self._line, f"{what} [Y/n]: ").strip().lower()
            if answer in ("", "y", "yes"):
                return True
            if answer in ("n", "no"):
                return False

    def _fits(self, check: Check, answer: str) -> bool:
        try:
            check(answer)
        except UsageError as error:
            self._out.line(f"  ✕ {plain(error.what)}{f': {plain(error.why)}' if error.why else ''}")
            for line in lines(error.hint):
                self._out.line(f"    hint: {line}")
            return False
        return True

    @staticmethod
    def _read(read: Callable[[str], str], prompt: str) -> str:
        try:
            return read(prompt)
        except EOFError:
            raise UsageError("no answer", "the input ended; nothing was made", "cockpit init --help names the options") from None
