"""The least that a Textual program can be: what first_paint is compared with."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("a line of text that is long enough to be seen as painted")


if __name__ == "__main__":
    Minimal().run()
