"""Which key does what where. Keys come from the catalogue; a person's settings may change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from cockpit.actions.catalog import ACTIONS, BY_ID, CONTEXTS, EVERYWHERE, Action
from cockpit.domain.errors import UsageError
from cockpit.tui.theme import SHAPES

_LABELS = {
    "greater_than_sign": ">", "less_than_sign": "<", "question_mark": "?", "slash": "/", "at": "@", "plus": "+",
    "underscore": "_",
    "left_square_bracket": "[", "right_square_bracket": "]", "colon": ":", "apostrophe": "'", "escape": "esc",
}  # fmt: skip
_NAMES = {label: key for key, label in _LABELS.items()}

RESERVED = {"ctrl+c": "leaving cockpit", "apostrophe": "the go-to keys"}
"""Keys that no binding may take, and what they are for."""


def readable(key: str) -> str:
    """A key in Textual's notation as a person reads it."""
    return " ".join(_LABELS.get(part, part) for part in key.split(" "))


def canonical(key: str) -> str:
    """A key as a person writes it in Textual's notation."""
    return " ".join(_NAMES.get(part, part) for part in key.split(" "))


class Keymap:
    """Resolves keys for a focus. Raises UsageError where overrides name an unknown id or clash, with every complaint."""

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        self._keys: dict[str, tuple[str, ...]] = {action.id: action.keys for action in ACTIONS}
        complaints = [*self._override(overrides or {}), *self.clashes()]
        if complaints:
            raise UsageError(
                f"the keymap has {len(complaints)} mistake{'s' if len(complaints) > 1 else ''}",
                "\n".join(complaints),
                "mend `keymap` in ~/.config/cockpit/config.yaml; `?` shows every binding",
            )
        self._tables = {context: self._table(context) for context in CONTEXTS}

    def _override(self, overrides: Mapping[str, str]) -> Iterable[str]:
        for binding, key in overrides.items():
            if binding not in BY_ID:
                near = get_close_matches(binding, BY_ID, n=1)
                yield f"{binding}: there is no such binding" + (f"; did you mean {near[0]!r}?" if near else "")
            elif (taken := RESERVED.get(canonical(key).split(" ")[0])) is not None:
                yield f"{binding}: {key} is kept for {taken}"
            else:
                self._keys[binding] = (canonical(key),)

    def keys(self, action: str) -> tuple[str, ...]:
        return self._keys[action]

    def label(self, action: str) -> str:
        """How a person reads the keys of an action."""
        default = BY_ID[action]
        return default.label if self._keys[action] == default.keys else readable(self._keys[action][0])

    def _reach(self, action: Action) -> tuple[str, ...]:
        return CONTEXTS if EVERYWHERE in action.contexts else action.contexts

    def clashes(self) -> list[str]:
        """Two bindings with one key in one focus. An action of a list itself may shadow one that works everywhere only
        where the catalogue says so by name (`l` opens logs in a list of services, and moves right elsewhere)."""
        out = []
        for context in CONTEXTS:
            taken: dict[str, str] = {}
            for action in ACTIONS:
                if context not in self._reach(action):
                    continue
                for key in self._keys[action.id]:
                    other = taken.setdefault(key, action.id)
                    if other != action.id:
                        out.append(f"{action.id}: {readable(key)} is also {other} in {context}")
        return out

    def _table(self, context: str) -> dict[str, str]:
        return {key: a.id for a in ACTIONS if context in self._reach(a) for key in self._keys[a.id]}

    def resolve(self, context: str, pressed: str) -> str | None:
        """The action of a key (or of a chord, written `g g`) in this focus."""
        return self._tables[context].get(pressed)

    def begins(self, context: str, pressed: str) -> bool:
        """Whether a chord begins with these keys."""
        return any(key.startswith(f"{pressed} ") for key in self._tables[context])


def ascii_label(label: str) -> str:
    return "".join(SHAPES.get(c, c) for c in label)
