"""The lower half of Hosts: what differs, units, journal, manifest, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.domain import units
from cockpit.domain.hosts import Generation, HostFacts
from cockpit.domain.plan import Change, PackageChange, ServiceChange
from cockpit.observe.fleet import GenerationDiff
from cockpit.tui.ink import EMPTY, Line, cut, fit, gap, shape, t, width, wrap
from cockpit.tui.panes.host_rows import commit, number

TABS = ("Diff", "Units", "Journal", "Manifest")


def is_back(diff: GenerationDiff) -> bool:
    """Whether going from old to new is going back."""
    return diff.old.number is not None and diff.new.number is not None and diff.new.number < diff.old.number


def package_lines(packages: Sequence[PackageChange], cells: int) -> list[Line]:
    name = max(10, min(17, cells - 33))
    out = []
    for p in packages:
        arrow = t("→ ", "faint")
        new = t("gone", "bad") if p.new is None else t(p.new)
        old = t("new", "good") if p.old is None else t(p.old, "muted")
        out.append(gap(2) + fit(t(p.name), name) + fit(old, 12) + arrow + fit(new, 14))
    return out


def packages_title(packages: Sequence[PackageChange]) -> Line:
    gone, new = sum(1 for p in packages if p.new is None), sum(1 for p in packages if p.old is None)
    words = [f"{len(packages) - gone - new} changed"] + ([f"{new} new"] if new else []) + ([f"{gone} gone"] if gone else [])
    return t("Packages", "text b") + t("  " + (", ".join(words) if packages else "the same"), "muted")


def tag(image: str | None) -> str:
    """`2.14.0` of `paperless-ngx:2.14.0`."""
    return (image or "").rpartition("/")[2].partition("@")[0].partition(":")[2]


def change_why(change: ServiceChange) -> str:
    old, new = tag(change.old_image), tag(change.new_image)
    return f"{old} → {new}" if old and new and old != new else change.why


def service_lines(changes: Sequence[ServiceChange], compact: bool = False, verb: int = 10, name: int = 0) -> list[Line]:
    out = []
    for c in changes:
        if c.change is not Change.KEEP:
            mark = shape("▲") if c.change in (Change.RECREATE, Change.REMOVE) else shape("●")
            out.append(
                gap(2)
                + mark
                + gap(1)
                + fit(t(c.change.value), verb)
                + _name(f"{c.project}/{c.service}" if c.service else c.project, name or 18)
                + t(change_why(c), "muted")
            )
    kept = [c for c in changes if c.change is Change.KEEP]
    if kept and not compact:
        touched = {c.project for c in changes if c.change is not Change.KEEP}
        near = [c for c in kept if c.project in touched]
        for project in sorted({c.project for c in near}):
            names = ", ".join(c.service for c in near if c.project == project)
            out.append(gap(2) + shape("·") + gap(1) + fit(t("keep"), 10) + t(f"{project}/{names}"))
        rest = [c for c in kept if c.project not in touched]
        if rest:
            words = f"{units.several(len(rest), 'service')} of {units.several(len({c.project for c in rest}), 'project')}"
            out.append(gap(2) + shape("·") + gap(1) + fit(t("keep"), 10) + t(words))
    return out


def _name(text: str, cells: int) -> Line:
    """With room behind it, also where it is cut."""
    return fit(t(text), cells - 1) + gap(1)


def _middle(diff: GenerationDiff) -> list[Line]:
    if not diff.compared:
        return [t("Services", "text b") + t("  not compared", "muted")]
    affected = sum(1 for c in diff.services if c.change is not Change.KEEP)
    out = [t("Services", "text b") + t(f"  {affected} affected" if affected else "  none affected", "muted"), EMPTY]
    out += service_lines(diff.services) or [gap(2) + t("all the same", "muted")]
    changed = [s for s in diff.secrets if s.change != "same"]
    if diff.secrets:
        out += [EMPTY, t("Secrets", "text b") + t(f"  {len(changed)} of {len(diff.secrets)} differ", "muted"), EMPTY]
        out += [gap(2) + shape("≠") + gap(1) + _name(f"{s.project}/{s.name}", 25) + t(s.change, "muted") for s in changed]
    return out


def _right(diff: GenerationDiff, cells: int) -> list[Line]:
    out: list[Line] = []
    target = number(diff.new)
    if diff.notes:
        out += [t("Not compared", "text b"), EMPTY]
        for note in diff.notes:
            out += _note(note, cells)
        out.append(EMPTY)
    if is_back(diff):
        short = commit(diff.old.closure.commit)
        out += [t(f"Rolled back, {diff.host} is held at {target}", "text b"), EMPTY]
        out += wrap(f"headless deploys of {short} are refused until", cells - 2, "muted", indent=2)
        out += [gap(2) + t("R", "text b") + t(" or a commit that reverts it", "muted"), EMPTY]
    for name, commits in (("Leaves out", diff.left_out), ("Brings", diff.commits)):
        if commits:
            out += [t(name, "text b") + t(f"  {units.several(len(commits), 'commit')}", "muted"), EMPTY]
            out += [gap(2) + t(c.short, "muted") + gap(1) + t(c.subject) for c in commits] + [EMPTY]
    return out or [t("The same commit", "text b")]


def diff_columns(diff: GenerationDiff, cells: int, rows: int) -> list[Line]:
    """Packages | services and secrets | commits, at the full width."""
    side = 50
    sizes: list[Line] = []
    if diff.old.size is not None and diff.new.size is not None:
        sizes = [EMPTY, gap(2) + t(f"closure {units.size(diff.old.size)} → {units.size(diff.new.size)}", "muted")]
    left = [packages_title(diff.packages), EMPTY, *package_lines(diff.packages, side), *sizes]
    middle, right = _middle(diff), _right(diff, last := cells - 2 * (side + 3))
    out = []
    rule = gap(1) + t("│", "line") + gap(1)
    for i in range(max(rows, len(left), len(middle), len(right))):
        a, b, c = (stack[i] if i < len(stack) else EMPTY for stack in (left, middle, right))
        out.append(fit(a, side) + rule + fit(b, side) + rule + cut(c, last))
    return out


def diff_lines(diff: GenerationDiff, cells: int) -> list[Line]:
    """The same where there is one column."""
    verb, name = (10, 26) if cells >= 60 else (9, 17)
    out = service_lines(diff.services, compact=True, verb=verb, name=name)
    out += [gap(2) + shape("≠") + gap(1) + fit(t("secret"), verb) + _name(f"{s.project}/{s.name}", name) + t(s.change, "muted")
            for s in diff.secrets if s.change != "same"]  # fmt: skip
    title = packages_title(diff.packages)
    out.append(gap(2) + shape("·") + gap(1) + fit(t("packages"), verb) + t(title[-1][0].strip(), "muted"))
    out += [
        gap(2)
        + shape("·")
        + gap(1)
        + fit(t("leaves out" if verb > 9 else "leaves"), verb)
        + gap(1)
        + t(f"{c.short} {c.subject}", "muted")
        for c in diff.left_out
    ]
    out = [cut(line, cells) for line in out]
    for note in diff.notes:
        out += _note(note, cells)
    return out


def _note(note: str, cells: int) -> list[Line]:
    first, *rest = wrap(note, cells - 4, "muted") or [EMPTY]
    return [gap(2) + shape("▲") + gap(1) + first, *(gap(4) + line for line in rest)]


def unit_lines(found: Sequence[tuple[str, str, str]]) -> list[Line]:
    long = max((width(t(name)) for name, _, _ in found), default=0) + 2
    out = []
    for name, state, description in found:
        bad = state == "failed"
        mark = shape("✕") if bad else shape("●") if state == "active" else shape("◐") if state.endswith("ing") else shape("○")
        out.append(
            gap(2)
            + mark
            + gap(1)
            + fit(t(name, "text b" if bad else "text"), min(long, 40))
            + fit(t(state, "bad" if bad else "muted"), 14)
            + t(description, "muted")
        )
    return out


def journal_lines(found: Sequence[str]) -> list[Line]:
    out = []
    for entry in found:
        stamp, _, rest = entry.partition(" ")
        dated = len(stamp) >= 19 and stamp[4:5] == "-"
        out.append(gap(2) + (t(stamp[11:19], "faint") + gap(2) + t(rest) if dated else t(entry)))
    return out


def manifest_lines(facts: HostFacts) -> list[Line]:
    manifest = facts.manifest
    if manifest is None:
        return [gap(2) + t("The running release has no manifest: it was not built with cockpit's module.", "muted")]
    out = [
        gap(2) + fit(t("commit", "faint"), 12) + t(commit(manifest.commit)),
        gap(2) + fit(t("keeps", "faint"), 12) + t(units.several(manifest.keep, "generation")),
        EMPTY,
    ]
    for p in manifest.projects:
        out.append(gap(2) + fit(t(p.name, "text b"), 12) + t(", ".join(p.services), "muted"))
        out.append(gap(2) + gap(12) + t(p.directory, "faint"))
        if p.secrets:
            out.append(gap(2) + gap(12) + shape("◆", "muted") + gap(1) + t(", ".join(p.secrets), "muted"))
    return out


def tabs_line(active: str, a: Generation | None, b: Generation | None, failed: int, focus: bool, roomy: bool) -> Line:
    out: Line = EMPTY
    for name in TABS:
        on = name == active
        line = t(name, "accent b" if on else "muted")
        if name == "Diff" and on and a and b:
            line = line + t(f" A {number(a)} → B {number(b)}" if roomy else f" {number(a)} → {number(b)}", "accent")
        if name == "Units" and failed:
            line = line + gap(1) + t(f"✕{failed}", "bad")
        out = out + (gap(3) if out else EMPTY) + line
    return out + t("   [ ]", "faint") if roomy else out
