"""Decrypted values travel in a type that cannot be printed by accident."""

from __future__ import annotations

from typing import Never


class Secret:
    """A decrypted value. Its representation is `<secret>`; it cannot be pickled, formatted, compared or hashed."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The plain bytes, for the one place that has to write them into memory, a pipe or a screen."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<secret>"

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not serialised")

    def __eq__(self, other: object) -> bool:
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]
