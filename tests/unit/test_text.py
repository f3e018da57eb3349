"""Outside text: what a terminal or a markup parser would obey must not survive."""

from __future__ import annotations

import random
import re

import pytest

from cockpit.domain.text import clean, lines, plain

SGR = re.compile(r"\x1b\[[0-9;:]*m")
FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff]")


@pytest.mark.parametrize(
    ("hostile", "left"),
    [
        ("a\x1b]52;c;c2VjcmV0\x07b", "ab"),
        ("a\x1b]52;c;c2VjcmV0\x1b\\b", "ab"),
        ("a\x1b]0;title\x9cb", "ab"),
        ("a\x1b]8;;https://evil\x1b\\b\x1b]8;;\x1b\\c", "abc"),
        ("a\x1b]0;never ends", "a"),
        ("a\x1bP1$r0m\x1b\\b", "ab"),
        ("a\x1b_apc\x1b\\b", "ab"),
        ("a\x1b^pm\x1b\\b", "ab"),
        ("a\x1bXsos\x1b\\b", "ab"),
        ("a\x1bPnever ends", "a"),
        ("a\x1b[2J\x1b[Hb", "ab"),
        ("a\x1b[?1049hb", "ab"),
        ("a\x1b[6nb", "ab"),
        ("a\x1b[>4;2mb", "ab"),
        ("a\x1b[?25mb", "ab"),
        ("a\x1b[", "a"),
        ("a\x1b[12;3", "a"),
        ("a\x1bcb", "ab"),
        ("a\x1b(0b", "ab"),
        ("a\x1b7b", "ab"),
        ("a\x1b", "a"),
        ("a\x1b\x1b[2Jb", "ab"),
        ("a\x9b2Jb", "a2Jb"),
        ("a\x9d0;title\x9cb", "a0;titleb"),
        ("a\x00\x07\x08\x0b\x0c\x0e\x1a\x7f\x85b", "ab"),
        ("a\u202eb\u2066c\u2069d", "abcd"),
        ("a\u200bb\u200fc\u2060d\ufeffe", "abcde"),
        ("a\u2028b\u2029c", "abc"),
        ("a\ud800b", "ab"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(hostile: str, left: str) -> None:
    assert clean(hostile) == left
    assert plain(hostile) == left


def test_colours_stay_in_clean_and_go_in_plain() -> None:
    text = "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mrgb\x1b[m"
    assert clean(text) == text
    assert plain(text) == "red rgb"


def test_tabs_and_line_ends() -> None:
    assert clean("a\tb\nc\rd") == "a\tbcd"
    assert plain("a\tb\nc\rd") == "a b c d"
    assert plain("a\tb") == "a b"
    assert lines("a\x1b[31m\n\nb\r\nc\x1b]0;x\x07") == ["a", "", "b", "c"]


@pytest.mark.parametrize("text", ["", "plain", "[red]not markup[/red]", "[/]", "äöü 漢字 🚀 e\u0301", "C:\\new"])
def test_harmless_text_is_left_alone(text: str) -> None:
    assert clean(text) == text
    assert plain(text) == text


def test_removal_does_not_put_a_new_escape_together() -> None:
    # Each of these leaves an escape sequence behind when the inner part is taken out by a naive single pass.
    for text in ("\x1b\x1b[2J[31;1H", "\x1b\u200b[2J", "\x1b\x00]0;x\x07", "\x1b[\u202e2J", "\x1b]0;a\x1b[31mb\x07c"):
        left = clean(text)
        assert "\x1b" not in SGR.sub("", left), repr(left)
        assert clean(left) == left


def test_nothing_hostile_survives_chance() -> None:
    pieces = [
        "\x1b",
        "[",
        "]",
        "P",
        "_",
        "^",
        "X",
        "\\",
        "\x07",
        "\x9c",
        "\x9b",
        "m",
        "31",
        ";",
        "?",
        "52",
        "h",
        "J",
        " ",
        "\t",
        "\n",
    ]
    pieces += [
        "a",
        "é",
        "\u202e",
        "\u200b",
        "\x00",
        "\x7f",
        "\x85",
        "\x18",
        "\x1a",
        "\x1b[31m",
        "\x1b[0m",
        "\ud83d",
        "(",
        "0",
        ">",
        "\ufeff",
    ]
    chance = random.Random(20261123)  # noqa: S311 - repeatable, not secret
    for _ in range(20_000):
        text = "".join(chance.choices(pieces, k=chance.randrange(1, 16)))
        left = clean(text)
        assert not FORBIDDEN.search(SGR.sub("", left)), (text, left)
        assert clean(left) == left, (text, left)
        bare = plain(text)
        assert not FORBIDDEN.search(bare) and "\t" not in bare, (text, bare)


def test_a_long_unterminated_string_is_handled_in_one_pass() -> None:
    assert clean("\x1b]" * 100_000) == ""
    assert clean("a" + "\x1b[" * 100_000) == "a"
