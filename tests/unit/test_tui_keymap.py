"""Keys: overrides, chords, clashes."""

from __future__ import annotations

import pytest

from cockpit.actions.catalog import ACTIONS, CONTEXTS, EVERYWHERE
from cockpit.domain.errors import UsageError
from cockpit.tui.keymap import Keymap


def test_no_two_bindings_clash_in_one_focus() -> None:
    assert Keymap().clashes() == []


def test_every_action_has_a_key_that_resolves_to_it() -> None:
    keymap = Keymap()
    for action in ACTIONS:
        for context in CONTEXTS if EVERYWHERE in action.contexts else action.contexts:
            for key in action.keys:
                assert keymap.resolve(context, key) == action.id


def test_a_clash_names_both() -> None:
    with pytest.raises(UsageError) as error:
        Keymap({"generation.pick": "d"})
    assert "generation.pick" in error.value.why or "generation.diff" in error.value.why


def test_reserved_keys_are_refused() -> None:
    with pytest.raises(UsageError) as error:
        Keymap({"app.help": "ctrl+c"})
    assert "kept for" in error.value.why
