"""The only way outside text reaches a widget or a terminal.

Container logs, names, commit subjects and file contents can carry terminal escapes, bidi overrides and markup.
"""

from __future__ import annotations

import re

_SGR = r"\x1b\[[0-9;:]*m"
_HOSTILE = re.compile(
    rf"({_SGR})"
    r"|\x1b(?:\][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC: titles, clipboard, hyperlinks
    r"|[PX^_][^\x1b\x9c]*(?:\x1b\\|\x9c|$)"  # DCS, SOS, PM, APC
    r"|\[[0-?]*[ -/]*[@-~]?"  # CSI other than SGR
    r"|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]"  # C0 (but tab and escape), DEL, C1
    r"|[\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"  # zero width, bidi
    r"|[\ud800-\udfff]"
)
_QUICK = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff]")
_ANY_SGR = re.compile(_SGR)


def clean(text: str) -> str:
    """One line of outside text, harmless: only SGR colours and tabs survive of what a terminal would interpret."""
    if not _QUICK.search(text):
        return text
    return _HOSTILE.sub(lambda match: match.group(1) or "", text)


def plain(text: str) -> str:
    """Like `clean`, and without colours: for names, titles, table cells and the command line. Tabs become a space."""
    if not _QUICK.search(text):
        return text.replace("\t", " ")
    return _ANY_SGR.sub("", clean(text.replace("\n", " ").replace("\r", " "))).replace("\t", " ")


def lines(text: str) -> list[str]:
    """Outside text of several lines, each harmless and without colours."""
    return [plain(line) for line in text.splitlines()]
