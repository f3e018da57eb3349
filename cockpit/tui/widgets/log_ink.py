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
"""What stands left of the line, or first in it."""
_ACCESS = {"DownstreamStatus": "status", "Duration": "ms", "RouterName": "router", "ClientHost": "client"}
"""The fields of Traefik's access log that a person looks for, and their short names."""
_ACCESS_TIMES = ("StartUTC", "StartLocal")
_STAMP = re.compile(r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d|\sUTC)?\]?[\s:]+(?=\S)")
_SAID_LEVEL = re.compile(r"^\[?(?:trace|debug|dbg|info|inf|warn(?:ing)?|wrn|error|err|fatal|ftl|critical)\]?(?::\s*|\s+|$)", re.I)


def is_trace(item: LogItem) -> bool:
    """Whether a line belongs to a stack trace (or another continuation) above it."""
    return isinstance(item, LogLine) and item.level is Level.UNKNOWN and bool(_TRACE.match(item.text))


def is_frame(item: LogItem) -> bool:
    return isinstance(item, LogLine) and bool(_FRAME.match(item.text))


def is_library(item: LogItem) -> bool:
    return is_frame(item) and isinstance(item, LogLine) and bool(_LIBRARY.search(item.text))


def message(text: str, level: Level) -> Line:
    """The message and its fields: logfmt and JSON are told apart by looking. Time and level stand left of it already."""
    words = _SGR.sub("", clean(text))
    if stamp := _STAMP.match(words):
        words = words[stamp.end() :]
        if level is not Level.UNKNOWN and (said := _SAID_LEVEL.match(words)):
            words = words[said.end() :]
    strong = "bad" if level is Level.ERROR else "text"
    if words.startswith("{") and (found := _json(words)) is not None:
        return _fields(_accessed(found), strong)
    if (found := _logfmt(words)) is not None:
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


def _logfmt(words: str) -> dict[str, object] | None:
    """A line of nothing but fields, a message among them."""
    pairs = list(_FIELD.finditer(words))
    if not any(match[1] in _MESSAGE for match in pairs) or _FIELD.sub("", words).strip():
        return None
    return {match[1]: _unquoted(match[2]) for match in pairs}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def _accessed(found: dict[str, object]) -> dict[str, object]:
    """A request of Traefik's access log with what counts first; anything else as it is."""
    if "RequestMethod" not in found or "RequestPath" not in found:
        return found
    out: dict[str, object] = {"msg": f"{found['RequestMethod']} {found['RequestPath']}"}
    for key, short in _ACCESS.items():
        if (value := found.get(key)) not in (None, ""):
            out[short] = round(value / 1e6) if short == "ms" and isinstance(value, int | float) else value
    shown = {"RequestMethod", "RequestPath", *_ACCESS, *_ACCESS_TIMES, *_ALREADY}
    return out | {key: value for key, value in found.items() if key not in shown}


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
