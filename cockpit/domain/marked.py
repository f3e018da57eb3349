"""A tree of a file in YAML or JSON in which every value knows its line."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Node(Struct, frozen=True):
    """A value and the line (1-based) that it stands on. Mappings hold (key, line of the key, value) in file order."""

    line: int
    value: str | None
    kind: str
    """`map`, `list`, `string`, `integer`, `float`, `boolean`, `null`"""
    pairs: tuple[tuple[str, int, Node], ...] = ()
    items: tuple[Node, ...] = ()

    def get(self, *path: str) -> Node:
        """What stands there, through `<<` too; a `null` node where nothing does."""
        found = self
        for key in path:
            found = next((value for name, _, value in found.merged() if name == key), Node(self.line, None, "null"))
        return found

    def merged(self) -> Iterator[tuple[str, int, Node]]:
        """The pairs, own ones first, then those of the mappings that `<<` names."""
        own = {name for name, _, _ in self.pairs}
        for name, line, value in self.pairs:
            if name != "<<":
                yield name, line, value
        for name, _, value in self.pairs:
            for other in (value.items or (value,)) if name == "<<" else ():
                yield from (pair for pair in other.merged() if pair[0] not in own)

    @property
    def text(self) -> str:
        return self.value or ""

    @property
    def there(self) -> bool:
        return self.kind != "null"

    @property
    def true(self) -> bool:
        return self.kind in ("boolean", "string") and self.text.lower() in ("true", "yes", "on")

    def scalars(self) -> Iterator[Node]:
        """Every value below, in file order."""
        if self.kind == "map":
            for _, _, value in self.pairs:
                yield from value.scalars()
        elif self.kind == "list":
            for item in self.items:
                yield from item.scalars()
        elif self.there:
            yield self

    def leaves(self, at: str = "") -> Iterator[tuple[str, int]]:
        """(dotted path, line) of every value below; items of lists by number."""
        if self.kind == "map":
            for name, line, value in self.pairs:
                deeper = f"{at}.{name}" if at else name
                yield from value.leaves(deeper) if value.kind in ("map", "list") else ((deeper, line),)
        elif self.kind == "list":
            for number, item in enumerate(self.items):
                yield from item.leaves(f"{at}[{number}]")
        else:
            yield at, self.line
