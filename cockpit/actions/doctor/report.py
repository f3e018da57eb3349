"""An examination as lines of words in named inks, for a terminal of some width: the command and the terminal UI draw the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from cockpit.actions.doctor.examine import Examination, Result
from cockpit.domain.findings import Finding, Group, Level
from cockpit.domain.text import plain
from cockpit.domain.units import several

Word = tuple[str, str]
"""(text, ink): `text`, `muted`, `faint`, `good`, `warn`, `bad`, `accent`, with ` b` for bold."""
Row = tuple[Word, ...]

SHAPES: dict[Level, tuple[str, str, str]] = {
    Level.FAIL: ("✕", "X", "bad"),
    Level.WARN: ("▲", "!", "warn"),
    Level.NOTE: ("·", "-", "muted"),
    Level.SKIPPED: ("◌", "?", "faint"),
    Level.OK: ("✓", "+", "good"),
}
WORDS = {
    Level.FAIL: "to mend",
    Level.WARN: "to look at",
    Level.NOTE: "to know",
    Level.SKIPPED: "not looked at",
    Level.OK: "fine",
}
NARROW = 64
"""Cells under which a finding begins on a line of its own."""
_WORST_FIRST = tuple(SHAPES)


def rows(examination: Examination, width: int, *, verbose: bool = False, ascii_only: bool = False) -> Iterator[Row]:
    """The worst first: groups, and what is in each. What is fine is folded into a number unless `verbose`."""
    page = _Page(width, verbose, ascii_only, _titles(examination, verbose, width))
    groups = {group: [r for r in examination.results if r.check.group is group and r.findings] for group in Group}
    folded = False
    for group, results in sorted(groups.items(), key=lambda item: min(map(_rank, item[1]), default=0)):
        if results:
            told = list(page.group(group, results))
            if not (folded and len(told) == 1):
                yield ()  # groups in which all is well stand together
            folded = len(told) == 1
            yield from told
    yield from page.summary(examination)


def counts(examination: Examination) -> Row:
    """How many there are of each level that there is."""
    return tuple(_counted([finding.level for result in examination.results for finding in result.findings], ascii_only=False))


def _rank(result: Result) -> int:
    return _WORST_FIRST.index(result.level)


def _shape(level: Level, ascii_only: bool) -> Word:
    shape, plainly, ink = SHAPES[level]
    return (plainly if ascii_only else shape, ink)


def _counted(levels: Sequence[Level], *, ascii_only: bool) -> list[Word]:
    out: list[Word] = []
    for level in _WORST_FIRST:
        if count := sum(found is level for found in levels):
            ink = "muted" if level in (Level.OK, Level.NOTE) else SHAPES[level][2]
            out += [("  ", "text"), _shape(level, ascii_only), (f" {count}", ink)]
    return out[1:]


def _titles(examination: Examination, verbose: bool, width: int) -> int:
    if width < NARROW:
        return 0
    shown = [len(r.check.title) for r in examination.results if verbose or r.level not in (Level.OK, Level.SKIPPED)]
    return max(shown, default=0)


class _Page:
    def __init__(self, width: int, verbose: bool, ascii_only: bool, titles: int) -> None:
        self._width = width
        self._verbose = verbose
        self._ascii = ascii_only
        self._titles = titles
        self._indent = 4 + titles + (2 if titles else 0)

    def shape(self, level: Level) -> Word:
        return _shape(level, self._ascii)

    def group(self, group: Group, results: Sequence[Result]) -> Iterator[Row]:
        counted = _counted([finding.level for result in results for finding in result.findings], ascii_only=self._ascii)
        rule = self._width - len(group.value) - sum(len(text) for text, _ in counted) - 2
        yield ((group.value, "text b"), (" " + ("-" if self._ascii else "─") * max(1, rule) + " ", "faint"), *counted)
        skipped: dict[tuple[str, str, str], list[Finding]] = {}
        for result in sorted(results, key=_rank):
            shown = [f for f in result.findings if f.level not in (Level.OK, Level.SKIPPED)]
            shown.sort(key=lambda finding: _WORST_FIRST.index(finding.level))
            yield from self._findings(result.check.title, shown)
            if not shown and self._verbose and result.level is Level.OK:
                yield from self._findings(result.check.title, result.findings)
            for finding in result.findings:
                if finding.level is Level.SKIPPED:
                    skipped.setdefault((finding.host, finding.what, finding.why), []).append(finding)
        for (host, what, why), findings in skipped.items():
            told = ": ".join(part for part in (host, what, why if self._verbose or len(findings) == 1 else "") if part)
            count = f"{len(findings)} not looked at: " if len(findings) > 1 else "not looked at: "
            yield from self._wrapped(4, [("  ", "text"), self.shape(Level.SKIPPED), (" ", "text")], count + told, "faint")

    def _findings(self, title: str, findings: Sequence[Finding]) -> Iterator[Row]:
        first = True
        for _, same in groupby(findings, key=lambda finding: (finding.level, finding.why)):
            told = list(same)
            one_fix = len({finding.fix for finding in told}) == 1
            for number, finding in enumerate(told):
                yield from self._what(title if first else "", finding)
                first = False
                if number == 0 and finding.why and not (one_fix and len(told) > 1) and self._tells(finding):
                    yield from self._under(finding.why, "muted")
                if finding.fix and not (one_fix and number < len(told) - 1):
                    if number and one_fix and finding.why and self._tells(finding):
                        yield from self._under(finding.why, "muted")
                    yield from self._fix(finding.fix)
                elif number == len(told) - 1 and number and one_fix and finding.why and self._tells(finding):
                    yield from self._under(finding.why, "muted")

    def _tells(self, finding: Finding) -> bool:
        return self._verbose or finding.level in (Level.WARN, Level.FAIL)

    def _what(self, title: str, finding: Finding) -> Iterator[Row]:
        ink = "text" if finding.level in (Level.WARN, Level.FAIL) else "muted"
        lead: list[Word] = [("  ", "text"), self.shape(finding.level) if title else (" ", "text"), (" ", "text")]
        if self._titles:
            lead += [(title.ljust(self._titles), "text b" if ink == "text" else "muted"), ("  ", "text")]
        elif title:
            yield (*lead, (title, "text b" if ink == "text" else "muted"))
            lead = [(" " * 4, "text")]
        host = f"{finding.host}: " if finding.host and finding.file == "" else ""
        what = plain(host + finding.what) if finding.what else "fine"
        where = plain(finding.where) if finding.file else ""
        if where and self._indent + len(what) + 2 + len(where) <= self._width:
            yield (*lead, (what, ink), ("  ", "text"), (where, "faint"))
            return
        yield from self._wrapped(self._indent, lead, what, ink)
        if where:
            yield from self._under(where, "faint")

    def _under(self, text: str, ink: str) -> Iterator[Row]:
        yield from self._wrapped(self._indent, [(" " * self._indent, "text")], plain(text), ink)

    def _fix(self, text: str) -> Iterator[Row]:
        arrow = ">" if self._ascii else "→"
        lead = [(" " * self._indent, "text"), (f"{arrow} ", "accent")]
        yield from self._wrapped(self._indent + 2, lead, plain(text), "accent")

    def _wrapped(self, indent: int, lead: Sequence[Word], text: str, ink: str) -> Iterator[Row]:
        """`lead` before the first line, blanks before the others; a word that is longer than a line is cut into several."""
        room = max(12, self._width - indent)
        for number, line in enumerate(wrap(plain(text), room)):
            yield (*(lead if number == 0 else [(" " * indent, "text")]), (line, ink))

    def summary(self, examination: Examination) -> Iterator[Row]:
        yield ()
        parts: list[list[Word]] = []
        for level in _WORST_FIRST:
            if count := examination.count(level):
                parts.append([self.shape(level), (f" {count} {WORDS[level]}", "text b" if level is Level.FAIL else "muted")])
        row: list[Word] = []
        for part in parts:
            used, needed = sum(len(text) for text, _ in row), sum(len(text) for text, _ in part)
            if row and used + 3 + needed > self._width:
                yield tuple(row)
                row = []
            row += [("   ", "text"), *part] if row else part
        yield tuple(row)
        if not examination.count(Level.FAIL):
            rest = examination.count(Level.WARN)
            said = f"Nothing has to be mended; {several(rest, 'thing')} will hurt one day." if rest else "All is well."
            yield from self._wrapped(0, [], said, "good")
        if examination.offline:
            yield from self._wrapped(0, [], "Offline: hosts, mesh and certificates were not asked.", "faint")


def wrap(text: str, room: int) -> list[str]:
    """Lines of at most `room` cells, broken at blanks where there are any."""
    out: list[str] = []
    line = ""
    for word in text.split(" "):
        while len(word) > room:
            if line:
                out.append(line)
                line = ""
            out.append(word[:room])
            word = word[room:]
        if line and len(line) + 1 + len(word) > room:
            out.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*out, line]
