"""Objects that are made, and their modules imported, when they are used first: most runs need few of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")


class Closes(Protocol):
    async def close(self) -> None: ...


class Later:
    """Stands for what `make` returns; asks for it once."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the object has
        if name == "_made":
            self._made = self._make()
            return self._made
        return getattr(self._made, name)


def later(make: Callable[[], T]) -> T:
    """What `make` returns, not yet made. For what is used through its attributes only."""
    return cast(T, Later(make))


async def end(made: Closes) -> None:
    """Closes what was made, and makes nothing for that."""
    if not isinstance(made, Later) or "_made" in vars(made):
        await made.close()
