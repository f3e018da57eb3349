"""One log line as spans: message strong, field names faint, stack traces behind a dashed rule."""

from __future__ import annotations

import json
import re

from cockpit.domain import units
from cockpit.domain.services import Level, LogGap, LogItem, LogLine
from cockpit.domain.text import clean
from cockpit.tui.ink import EMPTY, Line, fit, gap, shape, sparse_rule, t

_FIELD = re.compile(r'(?<!\S)([A-Za-z_][\w.@-]{0,60})=("(?:[^"\\]|\\.)*"|\S*)')
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_TRACE = re.compile(r"^(\s+\S|Traceback \(most recent|Caused by: |at \S+\(|[\w.]+(Error|Exception|Interrupt)\b)")
_LIBRARY = re.compile(
    r"site-packages|dist-packages|/usr/lib/python|/nix/store/|node_modules|/rustc/|/go/pkg/mod/|java\.base/|org\.springframework"
)
_FRAME = re.compile(r'^\s+(File "|at )')
_ERROR = re.compile(r"^([\w.]+(?:Error|Exception|Interrupt)\b)(.*)$")
_LEVELS = {
    Level.DEBUG: ("debug", "faint"), Level.INFO: ("info", "muted"), Level.WARN: ("WARN", "warn b"), Level.ERROR: ("ERROR",
        "bad b"),
    Level.UNKNOWN: ("", "muted"),
}  # fmt: skip
_MESSAGE = ("msg", "message", "event")
_ALREADY = ("level", "lvl", "severity", "time", "ts", "timestamp", *_MESSAGE)


def is_trace(item: LogItem) -> bool:
    """Whether a line belongs to a stack trace (or another continuation) above it."""
    return isinstance(item, LogLine) and item.level is Level.UNKNOWN and bool(_TRACE.match(item.text))


def is_frame(item: LogItem) -> bool:
    return isinstance(item, LogLine) and bool(_FRAME.match(item.text))


def is_library(item: LogItem) -> bool:
    return is_frame(item) and isinstance(item, LogLine) and bool(_LIBRARY.search(item.text))


def message(text: str, level: Level) -> Line:
    """The message and its fields: logfmt and JSON are told apart by looking."""
    words = _SGR.sub("", clean(text))
    strong = "bad" if level is Level.ERROR else "text"
    if words.startswith("{") and (found := _json(words)) is not None:
        return _fields(found, strong)
    out: Line = EMPTY
    at = 0
    for match in _FIELD.finditer(words):
        before = words[at : match.start()]
        if before.strip():
            out = out + t(before.rstrip(), strong) + gap(2 if not at else 1)
        elif out:
            out = out + gap(1)
        out = out + t(f"{match[1]}=", "faint") + t(match[2], "text")
        at = match.end()
    rest = words[at:]
    return out + t(rest, strong) if rest else out


def _json(words: str) -> dict[str, object] | None:
    try:
        found = json.loads(words)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fields(found: dict[str, object], strong: str) -> Line:
    said = next((str(found[key]) for key in _MESSAGE if key in found), "")
    out = t(said, strong) + (gap(1) if said else EMPTY)
    for key, value in found.items():
        if key not in _ALREADY:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            out = out + gap(1) + t(f"{key}=", "faint") + t(shown)
    return out


def trace(text: str) -> Line:
    """A line of a stack trace, behind the dashed rule."""
    words = clean(text).expandtabs(4)
    rule = t("┆ ", "line")
    if match := _ERROR.match(words):
        return rule + t(match[1], "bad b") + t(match[2])
    return rule + t(words, "muted")


def folded(count: int) -> Line:
    return (
        t("┆ ", "line")
        + gap(2)
        + t("▸ ", "accent")
        + t(units.several(count, "frame") + " of libraries", "accent")
        + t("  enter unfolds", "faint")
    )


def lead(item: LogLine, wide: bool, times: bool, names: int, strong: bool) -> Line:
    """Time, service and level."""
    word, tone = _LEVELS[item.level]
    stamp = t(units.clock(item.time), "faint") + gap(1) if times else EMPTY
    name = fit(t(item.service, "text" if strong else "muted"), names)
    return stamp + name + gap(1) + fit(t(word, tone), 5) + gap(2)


def gap_rule(item: LogGap, cells: int) -> Line:
    if item.marker:
        return sparse_rule(t("▎", "accent") + t(item.text, "accent b"), cells, "accent")
    tone = "bad" if item.bad else "warn"
    return sparse_rule(shape("✕" if item.bad else "▲") + gap(1) + t(item.text, tone), cells, tone)
