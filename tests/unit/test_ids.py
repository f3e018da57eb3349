"""Run ids."""

from __future__ import annotations

import pytest

from cockpit.domain.ids import is_run_id, new_run_id

NOW = 1_763_900_000.0


def test_ids_are_eight_characters_and_sort_by_age() -> None:
    ids = [new_run_id(NOW + minute * 60) for minute in range(200)]
    assert ids == sorted(ids)
    assert all(len(i) == 8 and is_run_id(i) for i in ids)


def test_ids_of_one_minute_share_their_head_and_differ_by_chance() -> None:
    ids = {new_run_id(NOW) for _ in range(200)}
    assert {i[:5] for i in ids} == {new_run_id(NOW)[:5]}
    assert len(ids) > 150


def test_the_wrap_after_64_years_is_still_an_id() -> None:
    assert new_run_id(32**5 * 60.0)[:5] == "00000" == new_run_id(0.0)[:5]
    assert is_run_id(new_run_id())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k3x9q2ab", True),
        ("k", True),
        ("", False),
        ("k3x9q2abc", False),
        ("K3", False),
        ("il", False),
        ("../x", False),
        ("a\n", False),
    ],
)
def test_prefixes(text: str, expected: bool) -> None:
    assert is_run_id(text) is expected
