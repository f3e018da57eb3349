"""Attempts of all hosts and this machine's audit log, joined by run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cockpit.domain.errors import Exit, worst
from cockpit.domain.hosts import Attempt, AttemptKind, HostFacts, Result
from cockpit.domain.releases import Release

EXITS = {
    Result.DONE: Exit.DONE,
    Result.REVERTED: Exit.REVERTED,
    Result.REVERT_FAILED: Exit.REVERT_FAILED,
    Result.SUPERSEDED: Exit.REFUSED,
}


def releases(facts: Iterable[HostFacts], records: Iterable[dict[str, Any]]) -> tuple[Release, ...]:
    """Newest first. A run of the audit log that changed nothing and failed nowhere is no release."""
    attempts: dict[str, list[Attempt]] = {}
    for host in facts:
        for attempt in host.attempts:
            attempts.setdefault(attempt.run, []).append(attempt)
    known: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.get("action") != "release.attach" and "targets" not in record:  # an operation is no release
            run = str(record.get("run", ""))
            if run not in known or float(record.get("ended", 0.0)) >= float(known[run].get("ended", 0.0)):
                known[run] = record
    found = [_joined(run, tuple(sorted(group, key=lambda a: a.host)), known.get(run)) for run, group in attempts.items()]
    found += [
        release for run, record in known.items() if run not in attempts and (release := _never_arrived(run, record)) is not None
    ]
    return tuple(sorted(found, key=lambda r: (r.started, r.run), reverse=True))


def _joined(run: str, attempts: tuple[Attempt, ...], record: dict[str, Any] | None) -> Release:
    first = min(attempts, key=lambda a: a.started)
    reached = {a.host for a in attempts}
    ends = [a.ended for a in attempts]
    failures = tuple(f for f in _failures(record) if f[0] not in reached) if record is not None else ()
    codes = [EXITS[a.result] for a in attempts if a.result in EXITS]
    if record is not None and failures:
        codes.append(_exit(record))
    return Release(
        run=run,
        kind=first.kind,
        commit=first.commit,
        subject=first.subject,
        who=first.who,
        origin=first.origin,
        started=first.started,
        ended=None if any(e is None for e in ends) else max(e for e in ends if e is not None),
        attempts=attempts,
        failures=failures,
        exit=worst(codes) if len(codes) >= len(attempts) else None,
    )


def _never_arrived(run: str, record: dict[str, Any]) -> Release | None:
    if _exit(record) is Exit.DONE:
        return None
    planned = ((record.get("plan") or {}).get("hosts") or [{}])[0]
    kinds = {
        "host.rollback": AttemptKind.ROLLBACK,
        "host.resume": AttemptKind.RESUME,
        "release.bootstrap": AttemptKind.BOOTSTRAP,
    }
    return Release(
        run=run,
        kind=kinds.get(str(record.get("action")), AttemptKind.DEPLOY),
        commit=planned.get("commit"),
        subject=planned.get("subject"),
        who=str(record.get("who", "")),
        origin=str(record.get("origin", "")),
        started=float(record.get("at", 0.0)),
        ended=float(record.get("ended", 0.0)),
        attempts=(),
        failures=_failures(record),
        exit=_exit(record),
    )


def _failures(record: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for host in record.get("hosts") or ():
        if host.get("exit"):
            found.append((str(host.get("host", "")), ": ".join(str(host[k]) for k in ("text", "why") if host.get(k))))
    return tuple(found)


def _exit(record: dict[str, Any]) -> Exit:
    try:
        return Exit(int(record.get("exit", 0)))
    except ValueError:
        return Exit.DEFECT
