"""The text of an editor without a terminal: editing, undo, selection, search, and what is masked and marked."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from cockpit.tui.ink import text_of, width
from cockpit.tui.widgets.document import Document, Place
from cockpit.tui.widgets.editor_view import Masked, glyphs, mask_runs, masked, painted
from cockpit.tui.widgets.gutter import Block, Mark, blocks, gutter, hunks
from cockpit.tui.widgets.masks import DOTS, kind_of, masks
from cockpit.tui.widgets.syntax import colours, lexer_of


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb\r\n", "a\r\nb\nc", "\n\n", "ü\t\x1b[31m"])
def test_what_was_not_edited_is_the_same_to_the_byte(text: str) -> None:
    assert Document(text).text == text


def test_its_representation_shows_nothing() -> None:
    document = Document("password: horse\n")
    document.insert("battery")
    assert repr(document) == "<document of 2 lines>"
    assert "battery" not in repr(document._done)


def test_typing_is_one_step_of_undo_and_a_space_begins_another() -> None:
    document = Document("")
    for letter in "one two":
        document.insert(letter)
    assert document.undo()
    assert document.text == "one"
    assert document.undo()
    assert document.text == ""
    assert not document.undo()
    assert document.redo()
    assert document.redo()
    assert document.text == "one two"
    assert not document.redo()


def test_a_new_line_keeps_the_indent_and_line_ends() -> None:
    document = Document("  a: 1\r\n  b: 2")
    document.end()
    document.new_line()
    document.insert("c: 3")
    assert document.text == "  a: 1\r\n  c: 3\r\n  b: 2"
    document.insert("x\ry\nz\r\nw")
    assert document.text.count("\r\n") == 5


def test_selection_is_replaced_cut_and_indented() -> None:
    document = Document("one\ntwo\nthree")
    document.move(Place(0, 1))
    document.vertical(1, select=True)
    assert document.selected == "ne\nt"
    document.indent(1)
    assert document.text == "  one\n  two\nthree"
    document.indent(-1)
    assert document.text == "one\ntwo\nthree"
    document.move(Place(0, 1))
    document.move(Place(2, 2), select=True)
    assert document.cut() == "ne\ntwo\nth"
    assert document.text == "oree"
    document.select_all()
    document.insert("x")
    assert document.text == "x"


def test_deleting_at_the_edges_changes_nothing() -> None:
    document = Document("a\nb")
    document.backspace()
    assert document.text == "a\nb"
    document.end()
    document.delete()
    assert document.text == "ab"
    document.move(Place(0, 2))
    document.delete()
    document.move(document.word(1))
    assert document.text == "ab"
    assert document.cut() == "ab\n"
    assert document.text == ""


def test_moving_keeps_the_column_through_short_lines() -> None:
    document = Document("long line\nx\nlong line")
    document.move(Place(0, 7))
    document.vertical(1)
    assert document.cursor == (1, 1)
    document.vertical(1)
    assert document.cursor == (2, 7)


def test_find_goes_round_both_ways() -> None:
    document = Document("Token\nother\ntoken token")
    assert document.find("token") == (2, 0)
    document.move(Place(2, 0))
    assert document.find("token") == (2, 6)
    assert document.find("token", -1) == (0, 0)
    assert document.find("nowhere") is None
    assert document.find("") is None


def test_random_edits_undo_to_the_beginning_and_redo_to_the_end() -> None:
    chance = random.Random(7)  # noqa: S311
    start = "alpha: 1\nbeta:\n  - x\n  - y\n"
    document = Document(start)
    for _ in range(300):
        row = chance.randrange(len(document.lines))
        document.move(document.place(row, chance.randrange(20)), select=chance.random() < 0.3)
        steps: list[Callable[[], object]] = [
            lambda: document.insert(chance.choice("ab \n")), document.backspace, document.delete, document.new_line,
            document.cut, document.delete_word, lambda: document.indent(1), lambda: document.insert("p\nq"),
        ]  # fmt: skip
        chance.choice(steps)()
    end = document.text
    while document.undo():
        pass
    assert document.text == start
    while document.redo():
        pass
    assert document.text == end


# masks

PLAIN: frozenset[str] = frozenset({"user_unencrypted: ada"})


def shown(kind: str, *lines: str) -> list[str]:
    return [masked(line, mask).text for line, mask in zip(lines, masks(kind, lines, PLAIN), strict=True)]


def test_yaml_values_are_masked_and_keys_are_not() -> None:
    lines = (
        "# words", "# password: old", "db:", "  password: horse", "  user_unencrypted: ada", "  - item", "  - key: value",
        '  "quoted key": x', "  text: |", "    line: one", "", "    two", "  after: x", '  long: "a', '    b: c"', "  last: y",
        "just text",
    )  # fmt: skip
    assert shown("yaml", *lines) == [
        "# words", f"#{DOTS}", "db:", f"  password: {DOTS}", "  user_unencrypted: ada", f"  - {DOTS}", f"  - key: {DOTS}",
        f'  "quoted key": {DOTS}', "  text: |", f"    {DOTS}", "", f"    {DOTS}", f"  after: {DOTS}", f"  long: {DOTS}",
        f"    {DOTS}", f"  last: {DOTS}", DOTS,
    ]  # fmt: skip


def test_other_formats() -> None:
    assert shown("dotenv", "A=b", "export C = d", "# a word", "#A=b", "odd") == [
        f"A={DOTS}", f"export C = {DOTS}", "# a word", f"#{DOTS}", DOTS,
    ]  # fmt: skip
    assert shown("ini", "[db]", "a = b") == ["[db]", f"a = {DOTS}"]
    assert shown("json", "{", '\t"a": "b",', '\t"c": {', '\t"d": 5', "},", '"x"') == [
        "{", f'\t"a": {DOTS},', '\t"c": {', f'\t"d": {DOTS}', "},", DOTS,
    ]  # fmt: skip
    assert shown("binary", "-----BEGIN", "") == [DOTS, ""]
    assert [kind_of(p) for p in ("a.yml", "x/.env.prod", "k.pem", "a.tfvars")] == ["yaml", "dotenv", "binary", "dotenv"]


def test_no_letter_of_a_value_is_left_whatever_is_typed() -> None:
    chance = random.Random(3)  # noqa: S311
    for _ in range(500):
        line = "".join(chance.choice("ab: -#\"'|>{}[],&*!") for _ in range(12)) + "S3CRET"
        for kind in ("yaml", "json", "dotenv", "binary"):
            text = shown(kind, line)[0]
            # what stands before a colon or an equals sign is a key, and a comment of plain words is shown
            assert "S3CRET" not in text or line.strip().startswith("#"), (kind, line)


def test_columns_of_a_masked_line_go_both_ways() -> None:
    view = masked("key: value # x", (5, 10))
    assert isinstance(view, Masked)
    assert [view.shown(c) for c in (0, 5, 7, 10, 14)] == [0, 5, 17, 17, 21]
    assert [view.real(c) for c in (0, 5, 9, 17, 21)] == [0, 5, 10, 10, 14]
    assert mask_runs([(4, "accent"), (10, "good")], (5, 10)) == [(4, "accent"), (1, "good"), (12, "faint"), (4, "good")]


# drawing


def test_hostile_text_is_drawn_with_one_cell_for_each_character() -> None:
    line = "a\x1b]52;c;x\x07\u202eb\u200b\x9b\ud800é"
    drawn = glyphs(line)
    assert len(drawn) == len(line)
    assert all(width(((text, ""),)) == 1 for text in drawn)
    assert "\x1b" not in "".join(drawn)
    assert "".join(glyphs("\tx")) == "    x"


def test_cells_are_cut_at_both_sides_and_wide_ones_are_not_halved() -> None:
    text = "ab漢字cd"
    for left in range(8):
        line = painted(glyphs(text), [(6, "text")], left, 4, None, None, None, "bg")
        assert width(line) <= 4
    line = painted(glyphs("abc"), [(3, "good")], 0, 10, (0, 1), None, 3, "bg")
    assert [spec for _, spec in line] == ["good on sel", "good", "ink on accent"]
    assert text_of(line) == "abc "


@pytest.mark.parametrize("path", ["a.nix", "a.yaml", "a.tf", "README.md", "a.json", "run.sh", "a.toml", ".env", "a.unknown"])
def test_colours_cover_every_line_exactly(path: str) -> None:
    lines = ["{ a = ''", "multi ${x}", "''; } # x", "", "key: \x1b 'v", 'FOO="bar', "## title", "\r", '{"a": [1, tru'] * 3
    found = colours(lexer_of(path), lines)
    assert [sum(count for count, _ in runs) for runs in found] == [len(line) for line in lines]
    assert (len({style for runs in found for _, style in runs}) > 1) is (path != "a.unknown")


# gutter


def test_changed_added_and_removed_lines() -> None:
    old = list("abcdefgh")
    new = ["a", "X", "c", "new", "d", "g", "h"]
    found = blocks(old, new)
    marks = gutter(found)
    assert marks.marks == {1: Mark.CHANGED, 3: Mark.ADDED}
    assert marks.below == {4}
    signs = [(line.sign, line.old, line.new) for line in hunks(found, len(new), 1)]
    assert ("-", 4, None) in signs
    assert ("+", None, 3) in signs
    assert blocks(old, old) == []
    assert blocks([], ["a"]) == [Block(0, 0, 0, 1)]


def test_what_the_blocks_say_makes_the_new_text_of_the_old() -> None:
    chance = random.Random(5)  # noqa: S311
    for _ in range(200):
        old = [chance.choice("abc") for _ in range(chance.randrange(12))]
        new = [chance.choice("abc") for _ in range(chance.randrange(12))]
        made, at = [], 0
        for block in blocks(old, new):
            made += old[at : block.old_from] + new[block.new_from : block.new_to]
            at = block.old_to
        assert made + old[at:] == new
