"""One raw log line of the engine -> LogLine: its stamp, its level, its text made harmless."""

from __future__ import annotations

import calendar
import re
import time

from cockpit.domain.services import Level, LogLine
from cockpit.domain.text import clean

_NAMED = re.compile(r"""(?:^|[\s{,"])"?(?:level|lvl|severity|loglevel)"?\s*[=:]\s*"?([A-Za-z]+|\d{2})""", re.IGNORECASE)
_BARE = re.compile(
    r"(?:^|[\s\[(<|:])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRIT(?:ICAL)?|PANIC|ALERT|EMERG)(?=$|[\s\])>|:.,])"
)
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_LEVELS = {
    "trace": Level.DEBUG, "debug": Level.DEBUG, "dbg": Level.DEBUG, "10": Level.DEBUG, "20": Level.DEBUG,
    "info": Level.INFO, "information": Level.INFO, "notice": Level.INFO, "inf": Level.INFO, "30": Level.INFO,
    "warn": Level.WARN, "warning": Level.WARN, "wrn": Level.WARN, "40": Level.WARN,
    "err": Level.ERROR, "error": Level.ERROR, "fatal": Level.ERROR, "crit": Level.ERROR, "critical": Level.ERROR,
    "panic": Level.ERROR, "alert": Level.ERROR, "emerg": Level.ERROR, "50": Level.ERROR, "60": Level.ERROR,
}  # fmt: skip
_HEAD = 200
"""A level stands near a line's start; looking further finds words that mean something else."""

_seconds: dict[str, int] = {}


def stamp(text: str) -> float | None:
    """Seconds since the epoch of the engine's RFC 3339 stamp in UTC."""
    head = text[:19]
    whole = _seconds.get(head)
    if whole is None:
        try:
            whole = calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S"))
        except ValueError:
            return None
        if len(_seconds) > 4096:
            _seconds.clear()
        _seconds[head] = whole
    if text[19:20] == ".":
        digits = text[20:].rstrip("Z")
        if digits.isdigit():
            return whole + int(digits[:6].ljust(6, "0")) / 1e6
    return float(whole)


def after(raw: bytes) -> str | None:
    """The engine's `since` for what comes after a raw line, to the nanosecond; None where it bears no stamp."""
    text = raw.partition(b" ")[0].decode("ascii", "replace")
    whole, fraction = stamp(text[:19]), text[20:].rstrip("Z") or "0"
    if whole is None or not fraction.isdecimal():
        return None
    seconds, nanoseconds = divmod(int(whole) * 10**9 + int(fraction[:9].ljust(9, "0")) + 1, 10**9)
    return f"{seconds}.{nanoseconds:09d}"


def level_of(text: str) -> Level:
    """From `level=`, `"level":`, or a bare word near the start; UNKNOWN otherwise."""
    head = text[:_HEAD]
    if "\x1b" in head:
        head = _SGR.sub("", head)
    match = _NAMED.search(head)
    if match:
        return _LEVELS.get(match[1].lower(), Level.UNKNOWN)
    match = _BARE.search(head)
    return _LEVELS.get(match[1].lower(), Level.UNKNOWN) if match else Level.UNKNOWN


def parse(host: str, project: str, service: str, stderr: bool, raw: bytes, now: float) -> LogLine:
    """`raw` is `STAMP MESSAGE` as the engine sends it with timestamps=1."""
    text = raw.decode("utf-8", "replace").rstrip("\r")
    head, _, message = text.partition(" ")
    at = stamp(head)
    if at is None:
        at, message = now, text
    message = clean(message)
    return LogLine(host, project, service, at, message, stderr, level_of(message))
