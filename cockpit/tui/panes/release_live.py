"""The lower half of Releases: steps of every host side by side, output, what happens if it fails, what it changes."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.domain import units
from cockpit.domain.events import PHASES, STEPS, Output
from cockpit.domain.hosts import AttemptKind
from cockpit.domain.plan import Change, Plan
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, heading, lit, meter, shape, t, wrap
from cockpit.tui.panes.host_detail import change_why
from cockpit.tui.panes.progress import ALL, HostProgress, RunProgress, Step

NAME = 13
"""Cells of a step's name."""
_NOTES = {
    "verify": "nothing restarts, every check passes", "confirm": "a new connection", "decide": "confirm and deadline race for it",
    "profile": "the new generation", "boot": "default entry",
}  # fmt: skip


def seconds_of(step: Step, now: float) -> str:
    if step.shape == "◐" and step.started is not None:
        return units.left(now - step.started)
    return units.duration(step.seconds) if step.seconds is not None else ""


def _cell(name: str, step: Step, now: float, cells: int, passed: bool = False) -> Line:
    if passed and step.shape == "○":
        return shape("·") + gap(8) + t(step.text or "not needed", "faint")
    tone = "text" if step.shape == "◐" else "faint" if step.shape == "○" else "muted"
    note = step.text or (_NOTES.get(name, "") if step.shape == "○" else "")
    mark = shape(step.shape, "busy b" if step.shape == "◐" else None)
    return (
        mark
        + gap(1)
        + fit(t(seconds_of(step, now), tone), 5, "r")
        + gap(2)
        + fit(t(note, "bad" if step.shape == "✕" else tone), cells - 9)
    )


def _extra(step: Step, now: float, cells: int) -> list[Line]:
    """Under the current step: how long of how much, and what it waits for."""
    out: list[Line] = []
    if step.shape != "◐":
        return out
    if step.deadline and step.started is not None:
        gone = now - step.started
        out.append(
            gap(9)
            + meter(gone / step.deadline, min(20, cells - 30), "busy")
            + t(f"  {units.left(gone)}")
            + t(f" of {step.deadline:.0f}s", "muted")
        )
    if step.waiting:
        rest = f", {units.left(step.left - (now - step.at))} left" if step.left is not None else ""
        out.append(gap(9) + t("waits for ", "busy") + t(f"{step.waiting}{rest}"))
    return out


def _head(host: HostProgress, now: float) -> Line:
    spent = sum(s.seconds or (now - s.started if s.shape == "◐" and s.started is not None else 0.0) for s in host.steps.values())
    mark = shape(host.shape, {"◐": "busy b", "●": "good b"}.get(host.shape))
    if host.finished is not None:
        words = host.finished.text or "done"
    elif host.failed is not None:
        words = host.failed.what
    else:
        words = host.current or "waits for its turn"
    return mark + gap(1) + t(host.host, "text b") + t(f"  {units.duration(spent)} · {words}", "muted")


def steps_lines(model: RunProgress, now: float, cells: int, names: bool = True) -> list[Line]:
    """Side by side as many hosts as fit; the rest is counted."""
    hosts = list(model.hosts.values())
    most = max(1, (cells - NAME - 1) // 40)
    shown = hosts[:most]
    each = (cells - NAME - 1) // max(1, len(shown))
    lead = gap(NAME + 1)
    out = [lead + _row([_head(h, now) for h in shown], each), EMPTY]
    for name in ALL:
        if name == PHASES[0]:
            note = fit(t("on the host, by its own supervisor", "faint"), each)
            out += [EMPTY, gap(1) + fit(t("transaction", "muted"), NAME) + _row([note] * len(shown), each)]
        steps = [h.step(name) for h in shown]
        now_here = any(s.shape == "◐" for s in steps)
        behind = all(s.shape in "●✕" or h.passed(name) for h, s in zip(shown, steps, strict=True))
        label = t(("  " if name in PHASES[:-1] else "") + name, "text b" if now_here else "muted" if behind else "faint")
        row = (
            gap(1)
            + fit(label, NAME)
            + _row([_cell(name, s, now, each - 2, h.passed(name)) for h, s in zip(shown, steps, strict=True)], each)
        )
        extras = [_extra(s, now, each) for s in steps]
        more = [
            lead + _row([e[i] if i < len(e) else EMPTY for e in extras], each) for i in range(max(map(len, extras), default=0))
        ]
        out += [lit(fit(line, cells), "sel2") for line in (row, *more)] if now_here else [row]
    if len(hosts) > len(shown):
        out.append(gap(1) + t(f"and {units.several(len(hosts) - len(shown), 'more host')}", "muted"))
    return out


def _row(parts: Sequence[Line], each: int) -> Line:
    out: Line = EMPTY
    for part in parts:
        out = out + fit(part, each)
    return out


def compact_lines(model: RunProgress, now: float, cells: int) -> list[Line]:
    """One host under the other, only what is behind it and where it is."""
    out: list[Line] = []
    for host in model.hosts.values():
        out.append(gap(1) + _head(host, now))
        for name in ALL:
            step = host.step(name)
            if step.shape == "○":
                continue
            row = gap(2) + fit(t(name, "text b" if step.shape == "◐" else "muted"), 10) + _cell(name, step, now, cells - 13)
            extra = [gap(12) + line for line in _extra(step, now, cells - 13)]
            out += [lit(fit(line, cells), "sel2") for line in (row, *extra)] if step.shape == "◐" else [row]
        rest = [name for name in ALL if host.step(name).shape == "○" and not host.passed(name)]
        if rest and host.finished is None:
            out.append(gap(2) + shape("○") + t(f" then {', '.join(rest[:4])}" + (" …" if len(rest) > 4 else ""), "faint"))
    return out


def done_share(model: RunProgress) -> tuple[int, int]:
    return sum(h.count for h in model.hosts.values()), len(ALL) * max(1, len(model.hosts))


_WORDS = {"Healthy": "good", "Started": "muted", "Recreate": "muted", "Recreated": "muted", "Error": "bad", "unhealthy": "warn"}


def output_lines(output: Sequence[Output], dropped: int, now: float, cells: int, rows: int) -> list[Line]:
    out: list[Line] = []
    for event in output[-rows:]:
        age = fit(t(units.exact_age(now - event.time), "faint"), 4, "r")
        body, _, last = event.text.rpartition(" ")
        words = (
            t(f"{body} ", "text") + t(last, _WORDS[last])
            if body and last in _WORDS
            else t(event.text, "muted" if event.text[:1] != " " else "text")
        )
        out.append(age + gap(2) + fit(words, cells - 6))
    if dropped and len(out) == rows and out:
        out[0] = t(f"      ▲ {units.thousands(dropped)} older lines dropped", "warn")
    return out or [gap(6) + t("nothing yet", "faint")]


def fallback_lines(model: RunProgress, plan: Plan | None, run_id: str, now: float, cells: int) -> list[Line]:
    """What happens if anything goes wrong, from where it is now."""
    out: list[Line] = []
    for host in plan.hosts if plan else ():
        told = model.hosts.get(host.host)
        if told is None or told.finished is not None:
            continue
        begun = told.step("activate").started
        decided = told.step("decide").shape == "●"
        back = f"back to {host.old_generation}" if host.old_generation is not None else "back to what runs now"
        name = f"{host.host}: " if len(model.hosts) > 1 else ""
        if decided:
            out.append(shape("●") + t(f" {name}decided: the new release stays", "text"))
        elif begun is None:
            out += wrap(f"{name}nothing has changed yet; leaving now changes nothing", cells, "muted")
        else:
            out.append(
                ends(
                    shape("↺") + t(f" {name}{back} by itself in"),
                    t(units.left(host.revert_after - (now - begun)), "text b"),
                    cells,
                )
            )
            out += wrap("unless confirmed by then; also when this terminal, the VPN or the runner dies", cells - 2, "muted", 2)
    if out:
        out.append(EMPTY)
    out += wrap(
        "A transaction cannot be cancelled: the host finishes or reverts. Closing cockpit is safe; watch again from anywhere:",
        cells,
        "muted",
    )
    return [*out, EMPTY, gap(2) + t(f"cockpit attach {run_id}")]


def change_lines(plan: Plan, cells: int) -> list[Line]:
    out: list[Line] = [gap(1) + heading(t("What it changes", "text b"), cells - 1, t("one approved plan", "muted"))]
    for host in plan.hosts:
        pieces = [
            t(f"{s.project}/{s.service}") + gap(2) + t(change_why(s) or s.change.value, "muted")
            for s in host.services
            if s.change is not Change.KEEP
        ]
        pieces += [t(u) + gap(2) + t("restarted", "muted") for u in host.units.restart]
        if host.kind is AttemptKind.ROLLBACK and host.abandons:
            pieces.append(t("hold") + gap(2) + t("what ran until now is not deployed again by itself", "muted"))
        rows: list[Line] = []
        for piece in pieces:
            if rows and len(text := rows[-1]) and sum(len(s[0]) for s in text) + 3 + sum(len(s[0]) for s in piece) <= cells - 15:
                rows[-1] = rows[-1] + gap(3) + piece
            else:
                rows.append(piece)
        for i, row in enumerate(rows or [t("nothing", "muted")]):
            out.append(gap(1) + fit(t(host.host if i == 0 else "", "muted"), NAME) + row)
    return out


__all__ = ["STEPS", "change_lines", "compact_lines", "done_share", "fallback_lines", "output_lines", "steps_lines"]
