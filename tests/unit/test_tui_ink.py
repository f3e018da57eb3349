"""Rows, headings, ages, sizes: cells come out exactly as wide as asked."""

from __future__ import annotations

import pytest

from cockpit.domain import units
from cockpit.domain.services import Level, LogLine
from cockpit.domain.settings import Theme
from cockpit.tui.ink import cut, ends, fit, mark, split, t, text_of, width
from cockpit.tui.theme import PALETTES, SHAPES, Skin
from cockpit.tui.widgets.log_ink import message
from cockpit.tui.widgets.log_ring import Ring, at_least

HOSTILE = "\x1b]52;c;aGk=\x07[/markup]\x1b[2J\u202eevil\u200b\x9b31m"


@pytest.mark.parametrize(
    ("seconds", "words"), [(4, "4s"), (8.9, "8s"), (41, "40s"), (61, "1m"), (3599, "59m"), (9 * 3600, "9h"), (41 * 86400, "41d")]
)
def test_ages(seconds: float, words: str) -> None:
    assert units.age(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.94, "0.9s"), (39, "39s"), (72, "1m 12s"), (7500, "2h 05m")])
def test_durations(seconds: float, words: str) -> None:
    assert units.duration(seconds) == words


def test_sizes() -> None:
    assert units.size(int(4.82 * 1024**3)) == "4.82 GiB"
    assert units.delta(int(51.3 * 1024**2)) == "+51.3 MiB"
    assert units.short_size(511 * 1024**2) == "511M"


def test_outside_text_is_harmless_in_every_line() -> None:
    assert text_of(t(HOSTILE)).startswith("[/markup]evil")
    assert not set("\x1b\x07\x9b\u202e\u200b") & set(text_of(t(HOSTILE)))
    assert "\x1b" not in text_of(message(HOSTILE, Level.INFO))


def test_fit_is_exact_for_wide_letters_too() -> None:
    for words in ("homelab", "ホームラボ", "e\u0301te\u0301", ""):
        for cells in (1, 3, 4, 7, 12):
            assert width(fit(t(words), cells)) == cells
            assert width(cut(t(words), cells)) <= cells


def test_ends_keeps_the_right_end() -> None:
    line = ends(t("a very long name of a thing"), t("41d"), 16)
    assert width(line) == 16
    assert text_of(line).endswith("  41d")


def test_split_loses_nothing() -> None:
    line = t("one two three four", "muted") + t("five six", "bad")
    rows = split(line, 5)
    assert all(width(row) <= 5 for row in rows)
    assert "".join(text_of(row) for row in rows) == text_of(line)


def test_mark_keeps_the_words() -> None:
    assert text_of(mark(t("Error in error"), "ERROR", "bad")) == "Error in error"


def test_ascii_has_a_letter_for_every_shape() -> None:
    assert all(len(a) == 1 and a.isascii() for a in SHAPES.values())
    strip = Skin(ascii=True, colour=False).strip(t("● ✕ ▲ → … ━ ‖"), 20)
    assert strip.text.rstrip() == "* X ! > ~ = ="


def test_no_colour_is_bold_dim_and_reverse() -> None:
    skin = Skin(colour=False)
    assert skin.style("bad").bold
    assert skin.style("faint").dim
    assert skin.style("text on sel").reverse
    assert skin.style("text").color is None


@pytest.mark.parametrize("theme", list(Theme))
def test_contrast_of_text(theme: Theme) -> None:
    palette = PALETTES[theme]

    def luminance(value: str) -> float:
        parts = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def ratio(name: str) -> float:
        low, high = sorted((luminance(palette[name]), luminance(palette["bg"])))
        return (high + 0.05) / (low + 0.05)

    assert ratio("text") >= 12
    assert ratio("muted") >= 5.5
    assert all(ratio(name) >= 5 for name in ("good", "busy", "warn", "bad"))
    assert ratio("faint") >= 3.5


def test_ring_keeps_numbers_and_drops_the_oldest() -> None:
    ring = Ring(capacity=100)
    for i in range(300):
        ring.extend([LogLine("h", "p", "s", i, str(i), level=Level.WARN if i % 2 else Level.INFO)])
    assert len(ring) <= 110
    assert ring[299].text == "299"
    ring.narrow(at_least(Level.WARN))
    assert all(seq % 2 for seq in ring.shown)
    ring.extend([LogLine("h", "p", "s", 300, "300", level=Level.ERROR)])
    assert list(ring.shown)[-1] == 300
