"""Shapes and sentences that more than one output uses."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.domain.errors import Exit
from cockpit.domain.events import Outcome
from cockpit.domain.operation import Operation
from cockpit.domain.plan import HostPlan, Plan, Tier
from cockpit.domain.text import plain

RESULTS: dict[Exit, str] = {
    Exit.DONE: "done",
    Exit.DEFECT: "defect",
    Exit.USAGE: "usage",
    Exit.UNREACHABLE: "unreachable",
    Exit.BUILD: "build-failed",
    Exit.REVERTED: "reverted",
    Exit.REVERT_FAILED: "revert-failed",
    Exit.LOCKED: "locked",
    Exit.SECRET: "secret",
    Exit.REFUSED: "refused",
    Exit.TO_DO: "to-do",
    Exit.UNKNOWN: "unknown",
    Exit.FAILED: "failed",
}
"""What `result` says to a workflow, one word per exit code."""

SHAPES: dict[Exit, str] = {Exit.DONE: "✓", Exit.TO_DO: "•", Exit.UNKNOWN: "?"}


def shape(code: Exit) -> str:
    return SHAPES.get(code, "✕")


def result(outcome: Outcome) -> str:
    if outcome.exit is Exit.DONE and not any(h.changed for h in outcome.hosts):
        return "nothing-to-do"
    return RESULTS[outcome.exit]


def release(path: str, generation: int | None, commit: str | None) -> str:
    number = f"generation {generation}" if generation is not None else "new generation"
    return f"{number} ({commit[:9] if commit else path.rpartition('/')[2][:20]})"


def plan_rows(host: HostPlan) -> Iterator[tuple[str, str]]:
    """(what, detail) of one host's plan: at most a line each, worst first."""
    if host.nothing_to_do:
        yield "nothing to do", release(host.old.path, host.old_generation, host.old.commit)
        for unknown in host.unknown:
            yield "not known", unknown
        return
    for problem in host.problems:
        yield "problem", ": ".join(part for part in (problem.what, problem.why) if part)
    yield "from", release(host.old.path, host.old_generation, host.old.commit)
    yield "to", release(host.new.path, host.new_generation, host.commit) + (f" {host.subject}" if host.subject else "")
    for service in host.interrupted:
        replaced = service.old_image and service.new_image and service.old_image != service.new_image
        images = f"{service.old_image} -> {service.new_image}" if replaced else ""
        name = f"{service.project}/{service.service}"
        yield (
            "service",
            " ".join(part for part in (name, service.change.value, f"({service.why})" if service.why else "", images) if part),
        )
    units = host.units
    for verb, names in (("stop", units.stop), ("restart", units.restart), ("reload", units.reload), ("start", units.start)):
        if names:
            yield f"{verb} units", ", ".join(names)
    if host.packages:
        shown = ", ".join(f"{p.name} {p.old or '–'} -> {p.new or '–'}" for p in host.packages[:6])
        more = len(host.packages) - 6
        yield "packages", shown + (f" and {more} more" if more > 0 else "")
    changed = [f"{s.project}/{s.name} {s.change}" for s in host.secrets if s.change != "same"]
    if changed:
        yield "secrets", ", ".join(changed)
    if host.reboot:
        yield "reboot", f"needed afterwards: {host.reboot[0]} to {host.reboot[1]}"
    if host.hold:
        yield "hold", f"of run {host.hold.run} by {host.hold.by} ends with this"
    for commit, subject in host.leaves_out:
        yield "leaves out", f"{commit[:9]} {subject}"
    for warning in host.warnings:
        yield "warning", warning
    for unknown in host.unknown:
        yield "not known", unknown


def plan_lines(plan: Plan) -> Iterator[str]:
    yield plain(plan.title)
    for host in plan.hosts:
        yield f"  {host.host}"
        for what, detail in plan_rows(host):
            yield f"    {what:<14} {plain(detail)}"
    for name, problem in plan.failures:
        yield f"  {name}"
        yield f"    {'no plan':<14} {plain(problem.what)}"


def operation_lines(operation: Operation, tier: Tier) -> Iterator[str]:
    note = {Tier.OUTAGE: " (an outage)", Tier.DATA_LOSS: " (loses data)"}.get(tier, "")
    yield plain(operation.title) + note
    for heading, impacts in (
        ("interrupts", operation.interrupts),
        ("lost", operation.lost),
        ("afterwards", operation.afterwards),
    ):
        for impact in impacts:
            yield f"    {heading:<14} {plain(impact.what)}{f': {plain(impact.why)}' if impact.why else ''}"
    for command in operation.commands:
        yield f"    $ {plain(command)}"


def seconds(value: float) -> str:
    return f"{value:.1f}s" if value < 100 else f"{value / 60:.1f}m"
