"""What a plan's dialog says: pure functions from the plan to lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cockpit.domain import units
from cockpit.domain.hosts import AttemptKind
from cockpit.domain.plan import Change, HostPlan, Plan, Tier
from cockpit.tui.ink import EMPTY, Line, cut, ends, fit, gap, shape, split, t, width, wrap
from cockpit.tui.panes.host_detail import change_why, tag
from cockpit.tui.panes.host_rows import commit

_STORE = re.compile(r"(/nix/store/[a-z0-9]{32}-)")
CARRIES = ("tailscaled", "sshd", "docker", "systemd-networkd", "nftables", "firewall", "dnsmasq", "unbound", "traefik")
"""Units and services on which connections hang."""


def chip(tier: Tier) -> Line:
    if tier is Tier.DATA_LOSS:
        return t(" ✕ DATA LOSS ", "ink b on bad")
    return t(" ▲ OUTAGE ", "ink b on warn") if tier is Tier.OUTAGE else t(" PLAN ", "ink b on accent")


def headline(plan: Plan, tier: Tier, verb: str, cells: int) -> Line:
    """Tier, verb and object, from and to; at the right what it goes to."""
    left = chip(tier) + gap(3 if cells > 56 else 1) + t(verb, "text b")
    right: Line = EMPTY
    if len(plan.hosts) == 1:
        host = plan.hosts[0]
        right = t(commit(host.commit or host.new.commit), "muted") + t(f" {host.subject or host.new.subject or ''}", "muted")
        to = host.new_generation if host.new_generation is not None else "a new generation"
        if host.old_generation is not None:
            left = left + gap(3 if cells > 56 else 1) + t(host.old_generation) + t(" → ", "faint") + t(to, "text b")
    elif plan.hosts:
        right = t(commit(plan.hosts[0].commit), "muted") + t(f" {plan.hosts[0].subject or ''}", "muted")
    return ends(left, right, cells) if width(left) + width(right) + 2 <= cells else cut(left, cells)


def _entry(mark: str, name: str, words: str, cells: int) -> list[Line]:
    if cells < 56:
        return [gap(2) + shape(mark) + gap(1) + t(name), *wrap(words, cells - 6, "muted", 4)]
    first, *rest = wrap(words, cells - 27, "muted") or [EMPTY]
    return [gap(2) + shape(mark) + gap(1) + fit(t(name), 22) + gap(1) + first, *(gap(27) + line for line in rest)]


def interrupts(host: HostPlan, cells: int) -> list[Line]:
    """What stops, however shortly."""
    out: list[Line] = []
    carrying = [u for u in (*host.units.stop, *host.units.restart) if u.partition(".")[0] in CARRIES]
    for unit in carrying:
        out += _entry(
            "▲",
            unit.removesuffix(".service"),
            "restarts: connections through it drop, and reachability has to be proved again",
            cells,
        )
    by_project: dict[tuple[str, Change, str], list[str]] = {}
    for s in host.interrupted:
        moved = change_why(s) if tag(s.old_image) != tag(s.new_image) else s.why
        by_project.setdefault((s.project, s.change, moved), []).append(s.service)
    verbs = {Change.RECREATE: "recreated", Change.REMOVE: "removed", Change.CREATE: "created", Change.START: "started"}
    for (project, change, why), names in by_project.items():
        mark = "▲" if change in (Change.RECREATE, Change.REMOVE) else "●"
        be = "is" if len(names) == 1 else "are"
        out += _entry(mark, f"{project} {', '.join(names)}", f"{be} {verbs[change]}" + (f", {why}" if why else ""), cells)
    others = [u for u in (*host.units.stop, *host.units.restart) if u not in carrying]
    if others:
        out += _entry("·", units.several(len(others), "other unit"), ", ".join(others) + " restart", cells)
    kept = sum(1 for s in host.services if s.change is Change.KEEP)
    kernel = f"kernel {host.reboot[0]} stays until a reboot to {host.reboot[1]}" if host.reboot else "no reboot"
    if kept:
        out += _entry("●", units.several(kept, "other service"), f"keep running; {kernel}", cells)
    elif not out:
        out += _entry("●", "nothing", f"no unit and no service is touched; {kernel}", cells)
    return out


def stays(host: HostPlan, cells: int) -> list[Line]:
    """What does not come back by going back, and what changes besides."""
    out: list[Line] = []
    if host.kind is AttemptKind.ROLLBACK:
        recreated = sorted({s.project for s in host.interrupted if s.change is Change.RECREATE})
        if recreated:
            out += _entry("▲", ", ".join(recreated), "data that the newer release wrote or migrated stays as it is", cells)
    for secret in host.secrets:
        if secret.change != "same":
            words = "the value that this release was made with" if host.kind is AttemptKind.ROLLBACK else secret.change
            out += _entry("≠", f"{secret.project}/{secret.name}", words, cells)
    return out


def afterwards(host: HostPlan, cells: int) -> list[Line]:
    if host.kind is AttemptKind.ROLLBACK and host.abandons:
        what = ", ".join(commit(c) for c in host.abandons[:3])
        return _entry("‖", "hold", f"headless deploys of {what} or what descends from it are refused until R", cells)
    return _entry("‖", "hold", "the hold of this host is lifted", cells) if host.hold and host.kind is AttemptKind.DEPLOY else []


def warnings(host: HostPlan, cells: int) -> list[Line]:
    out: list[Line] = []
    for problem in host.problems:
        out += _entry("✕", problem.what, f"{problem.why} {problem.hint}".strip(), cells)
    for warning in (*host.warnings, *host.inhibitors):
        first, *rest = wrap(warning, cells - 6, "muted") or [EMPTY]
        out += [gap(2) + shape("▲") + gap(1) + first, *(gap(4) + line for line in rest)]
    return out


def impact(plan: Plan, cells: int) -> list[Line]:
    """The sections above the commands; they never scroll away."""
    out: list[Line] = []
    many = len(plan.hosts) > 1
    for name, section in (
        ("Interrupts", interrupts),
        ("Does not come back", stays),
        ("Afterwards", afterwards),
        ("Mind", warnings),
    ):
        lines: list[Line] = []
        for host in plan.hosts:
            found = section(host, cells)
            if found and many:
                lines.append(gap(2) + t(host.host, "text b"))
            lines += found
        if lines:
            shown = "Changes" if name == "Does not come back" and all(h.kind is AttemptKind.DEPLOY for h in plan.hosts) else name
            out += [t(shown, "text b"), *lines, EMPTY]
    if plan.failures:
        out += [t("Not planned", "text b")]
        for host_name, problem in plan.failures:
            out += _entry("✕", host_name, f"{problem.what} {problem.hint}", cells)
        out.append(EMPTY)
    return out


def impact_in_short(plan: Plan) -> Line:
    """One line in place of the sections, where there is no room for them."""
    services = [s for h in plan.hosts for s in h.interrupted]
    restarted = sum(h.units.count for h in plan.hosts)
    held = any(h.abandons for h in plan.hosts)
    words = [units.several(len(services), "service") + " interrupted", units.several(restarted, "unit")] + (
        ["leaves a hold"] if held else []
    )
    return shape("▲") + t(" " + ", ".join(words), "text")


def command_lines(commands: Sequence[str], cells: int) -> list[Line]:
    """Commands in full; the hash of a store path is faint."""
    out: list[Line] = []
    for command in commands:
        if command.startswith("#"):
            out += wrap(command, cells - 4, "faint", 3)
            continue
        rows: list[Line] = []
        current: Line = EMPTY
        words = command.split(" ")
        for index, word in enumerate(words):
            styled: Line = EMPTY
            for part in _STORE.split(word):
                styled = styled + t(part, "faint" if _STORE.fullmatch(part) else "text")
            room = cells - (3 if not rows else 5) - (0 if index == len(words) - 1 else 2)
            if current and width(current) + 1 + width(styled) > room:
                rows.append(current + t(" \\", "faint"))
                current = styled
            else:
                current = current + gap(1) + styled if current else styled
            while width(current) > cells - 5:
                # a word longer than the dialog goes on in the next row: nothing is left out
                head, *rest = split(current, cells - 5)
                rows.append(head)
                current = tuple(span for row in rest for span in row)
        rows.append(current)
        out += [gap(3 if i == 0 else 5) + row for i, row in enumerate(rows)]
    return out


def failure(plan: Plan, cells: int) -> list[Line]:
    """What happens when it goes wrong."""
    host = plan.hosts[0] if plan.hosts else None
    if host is None:
        return []
    back = (
        f"back to {host.old_generation} by itself"
        if len(plan.hosts) == 1 and host.old_generation is not None
        else "each host goes back by itself"
    )
    words = f"Any failure, or no proof of reachability within {host.revert_after:.0f}s: {back}."
    first, *rest = wrap(words, cells - 6, "muted")
    return [gap(2) + shape("↺") + gap(1) + first, *(gap(4) + line for line in rest)]
