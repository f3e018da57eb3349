"""The report of an update, as Markdown for a pull request. Everything in it is outside text: links are made by us alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cockpit.cli.github import bounded, cell
from cockpit.domain.images import LockRow
from cockpit.domain.text import plain
from cockpit.domain.updates import InputChange, SystemChange, UpdateReport

FEW = 15
"""Rows that are shown open; more are folded."""


def markdown(report: UpdateReport) -> str:
    return bounded("\n".join(_lines(report)) + "\n")


def _lines(report: UpdateReport) -> Iterator[str]:
    yield "## What is new"
    yield ""
    yield from _marks(report)
    if report.inputs:
        yield "### Inputs"
        yield ""
        yield from _table(("input", "from", "to", "changes"), [_input(one) for one in report.inputs])
    if report.images:
        yield "### Images"
        yield ""
        yield from _table(("project", "image", "from", "to", "keeps data", "changes"), [_image(row) for row in report.images])
    for system in report.systems:
        yield f"### Host {cell(system.host)}"
        yield ""
        yield from _system(system)
    if report.errors:
        yield "### Not done"
        yield ""
        for error in report.errors:
            yield "- " + ": ".join(cell(part) for part in (error.what, "; ".join(error.why.splitlines())) if part)
        yield ""


def _marks(report: UpdateReport) -> Iterator[str]:
    """What a person should look at before merging."""
    for system in report.systems:
        if system.reboot:
            kernels = " → ".join(cell(version) for version in system.reboot)
            yield f"- **reboot**: {cell(system.host)} has another kernel ({kernels}); it runs after the next reboot"
    for row in report.images:
        if row.stateful and row.old_tag != row.new_tag:
            yield f"- **keeps data**: {cell(row.image)} in {cell(row.project)}; no rollback brings its volume back"
        if row.old_tag.lstrip("v").partition(".")[0] != row.new_tag.lstrip("v").partition(".")[0]:
            yield f"- **first number**: {cell(row.image)} {cell(row.old_tag)} → {cell(row.new_tag)}; read its release notes"
    if not (report.inputs or report.images or report.systems):
        yield "Nothing."
    yield ""


def _input(one: InputChange) -> tuple[str, ...]:
    name = one.name if one.flake in ("", ".") else f"{one.name} ({one.flake})"
    return (cell(name), _code(one.old[:12] or "–"), _code(one.new[:12] or "–"), _link("compare", one.url))


def _image(row: LockRow) -> tuple[str, ...]:
    old = " ".join(part for part in (row.old_tag, _short(row.old_digest)) if part)
    new = " ".join(part for part in (row.new_tag, _short(row.new_digest)) if part)
    notes = _link("release notes", row.notes)
    return (cell(row.project), cell(row.image), _code(old), _code(new), "**yes**" if row.stateful else "", notes)


def _system(system: SystemChange) -> Iterator[str]:
    if system.nothing:
        yield "The same packages and units."
        yield ""
        return
    if system.packages:
        rows = [(cell(p.name), _code(p.old or "–"), _code(p.new or "–")) for p in system.packages]
        yield from _folded(f"{len(rows)} packages", len(rows), list(_table(("package", "from", "to"), rows)))
    if system.units:
        names = [f"- {_code(name)}" for name in system.units]
        yield from _folded(f"{len(names)} units are other than before", len(names), [*names, ""])


def _folded(title: str, count: int, lines: Sequence[str]) -> Iterator[str]:
    if count <= FEW:
        yield f"{title}:"
        yield ""
        yield from lines
        return
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield "</details>"
    yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _code(text: str) -> str:
    safe = plain(text).replace("`", "'").replace("|", "/")
    return f"`{safe}`" if safe else ""


def _link(text: str, url: str) -> str:
    return f"[{text}]({url})" if url.startswith("https://") and not set(url) & set(" ()<>[]|\\\"'`") else ""
