"""The editor's own keys, as tables over a document."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.tui.widgets.document import Document, Place


def moves(document: Document, page: int, select: bool) -> dict[str, Callable[[], object]]:
    last = len(document.lines) - 1
    return {
        "up": lambda: document.vertical(-1, select=select),
        "down": lambda: document.vertical(1, select=select),
        "left": lambda: document.horizontal(-1, select=select),
        "right": lambda: document.horizontal(1, select=select),
        "home": lambda: document.home(select=select),
        "end": lambda: document.end(select=select),
        "pageup": lambda: document.vertical(-page, select=select),
        "pagedown": lambda: document.vertical(page, select=select),
        "ctrl+home": lambda: document.move(Place(0, 0), select=select),
        "ctrl+end": lambda: document.move(Place(last, len(document.lines[last])), select=select),
        "ctrl+left": lambda: document.move(document.word(-1), select=select),
        "ctrl+right": lambda: document.move(document.word(1), select=select),
        "ctrl+shift+left": lambda: document.move(document.word(-1), select=True),
        "ctrl+shift+right": lambda: document.move(document.word(1), select=True),
        "ctrl+shift+home": lambda: document.move(Place(0, 0), select=True),
        "ctrl+shift+end": lambda: document.move(Place(last, len(document.lines[last])), select=True),
        "ctrl+a": document.select_all,
    }


def edits(document: Document) -> dict[str, Callable[[], object]]:
    return {
        "enter": document.new_line,
        "backspace": document.backspace,
        "delete": document.delete,
        "ctrl+w": document.delete_word,
        "tab": lambda: document.indent(1),
        "shift+tab": lambda: document.indent(-1),
    }
