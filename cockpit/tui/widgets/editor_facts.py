"""What an editor knows about its text besides the text: differences with HEAD, masks, colours; worked out once per change."""

from __future__ import annotations

from cockpit.tui.widgets.document import Document
from cockpit.tui.widgets.gutter import Block, DiffLine, Gutter, blocks, gutter, hunks
from cockpit.tui.widgets.masks import masks
from cockpit.tui.widgets.syntax import BEFORE, Run, colours, lexer_of

_MOST_COLOURED = 200_000
"""Characters in sight; with more there are no colours."""


class Facts:
    """`kind` is the format of a secret's file, None where nothing is masked; `plain` are lines of it that are no secret."""

    def __init__(
        self, path: str = "", base: list[str] | None = None, kind: str | None = None, plain: frozenset[str] = frozenset()
    ) -> None:
        self.base = base
        self.kind = kind
        self.plain = plain
        self.blocks: list[Block] = []
        self.hunks: list[DiffLine] = []
        self.gutter = Gutter({}, frozenset())
        self.masks: list[tuple[int, int] | None] = []
        self._language = lexer_of(path)
        self._seen = -1
        self._coloured: tuple[int, int, int, list[list[Run]]] = (-1, 0, 0, [])

    def know(self, document: Document) -> Facts:
        """These facts, as of now."""
        if self._seen != document.version:
            self._seen = document.version
            self.blocks = blocks(self.base, document.lines) if self.base is not None else []
            self.gutter = gutter(self.blocks)
            self.hunks = hunks(self.blocks, len(document.lines))
            self.masks = masks(self.kind, document.lines, self.plain) if self.kind is not None else []
        return self

    def by_rule(self, line: str) -> bool:
        """Whether it holds a value that is in plain text in the encrypted file too."""
        bare = line.strip()
        return bare in self.plain and len(bare) > 2 and not bare.startswith("#") and not bare.endswith((":", "{", "["))

    def colours(self, document: Document, first: int, rows: int) -> list[list[Run]]:
        """Of these rows; some above and below are read with them, and kept."""
        version, start, count, runs = self._coloured
        if version != document.version or first < start or first + rows > start + count:
            begin = max(0, first - BEFORE)
            lines = document.lines[begin : first + rows + BEFORE]
            long = sum(map(len, lines)) > _MOST_COLOURED
            runs = colours("" if long else self._language, lines)[first - begin :]
            start, count = first, len(lines) - (first - begin)
            self._coloured = (document.version, start, count, runs)
        return runs[first - start : first - start + rows]
