"""Attempts as the host wrote them down, and what they say about generations."""

from __future__ import annotations

import re
from typing import Any

from cockpit.adapters.outside import table, table_in
from cockpit.domain.hosts import Attempt, AttemptKind, GenerationOutcome, Hold, Result, Verdict
from cockpit.domain.text import plain

_CI_RUN = re.compile(r"/actions/runs/(\d+)")


def attempt_from(host: str, folder: str, files: dict[str, str]) -> Attempt | None:
    """One attempt's folder (`SEQ-RUN`): intent.json, outcome.json, abandoned, decision. None where there is no intent."""
    seq, _, run = folder.partition("-")
    intent = table_in(files.get("intent.json"))
    if not intent or not seq.isdecimal() or len(seq) > 9:
        return None
    outcome = table_in(files.get("outcome.json"))
    old, new = table(intent.get("old")), table(intent.get("new"))
    result = Result.OPEN
    if outcome:
        try:
            result = Result(outcome.get("result"))
        except ValueError:
            result = Result.REVERTED
    try:
        kind = AttemptKind(intent.get("kind"))
    except ValueError:
        kind = AttemptKind.DEPLOY
    health = table(intent.get("previous_health")).get("healthy")
    hold = table(outcome.get("hold"))
    generation = _integer(outcome.get("generation"))
    return Attempt(
        seq=int(seq),
        run=plain(run),
        host=host,
        kind=kind,
        who=plain(str(intent.get("who") or "–")),
        origin=plain(str(intent.get("origin") or "")),
        started=_number(intent.get("started")),
        commit=_text(intent.get("commit")) or _text(new.get("commit")),
        subject=_text(intent.get("subject")),
        old_closure=_text(old.get("closure")) or "",
        old_generation=_integer(old.get("generation")),
        old_commit=_text(old.get("commit")),
        new_closure=_text(new.get("closure")) or "",
        new_generation=_integer(new.get("generation")),
        result=result,
        decision=plain(files["decision"]) if "decision" in files else None,
        abandoned=plain(files["abandoned"]) if "abandoned" in files else None,
        phase=_text(outcome.get("phase")),
        reason=plain(str(outcome.get("reason") or "")),
        ended=_number(outcome.get("ended")) if outcome else None,
        generation=generation,
        hold=Hold(
            run=plain(run),
            abandoned=tuple(plain(str(sha)) for sha in _list_of(hold, "abandoned")),
            by=plain(str(hold.get("by") or "")),
            at=_number(hold.get("at")),
            generation=generation,
            why=plain(str(hold.get("why") or "")),
        )
        if hold
        else None,
        previous_healthy=health if isinstance(health, bool) else None,
        timings=tuple(
            (plain(str(t[0])), _number(t[1])) for t in _list_of(outcome, "timings") if isinstance(t, list) and len(t) == 2
        ),
    )


def hold_in_force(attempts: tuple[Attempt, ...]) -> Hold | None:
    """That of the newest closed attempt that ended done, where it is a rollback. Attempts come newest first."""
    for attempt in attempts:
        if attempt.result is Result.DONE:
            return attempt.hold if attempt.kind is AttemptKind.ROLLBACK else None
    return None


def generation_outcome(
    number: int, attempts: tuple[Attempt, ...], running: bool, ill: str, now: float
) -> tuple[GenerationOutcome, str | None]:
    """How a generation did, and who made it. `ill` is what is wrong with the running one right now."""
    made = [a for a in attempts if a.result is Result.DONE and a.generation == number and a.kind is not AttemptKind.RESUME]
    creators = [a for a in made if a.kind is not AttemptKind.ROLLBACK]
    by = _by(creators[-1]) if creators else None
    if running:
        since = made[0].ended if made else None
        seconds = now - since if since else None
        if ill:
            return GenerationOutcome(Verdict.UNHEALTHY, seconds, ill), by
        return GenerationOutcome(Verdict.GOOD if made else Verdict.BY_HAND, seconds), by
    left = [
        a
        for a in attempts
        if a.old_generation == number and a.result in (Result.DONE, Result.SUPERSEDED) and a.kind is not AttemptKind.RESUME
    ]
    if left and left[0].kind is AttemptKind.ROLLBACK:
        return GenerationOutcome(Verdict.ABANDONED, None, left[0].hold.why if left[0].hold else ""), by
    if not made:
        return GenerationOutcome(Verdict.BY_HAND if not by else Verdict.UNKNOWN), by
    after = [a for a in attempts if a.seq > made[0].seq and a.kind is not AttemptKind.RESUME]
    if not after or after[-1].previous_healthy is None:
        return GenerationOutcome(Verdict.UNKNOWN), by
    next_one = after[-1]
    seconds = next_one.started - (made[0].ended or made[0].started)
    return GenerationOutcome(Verdict.GOOD if next_one.previous_healthy else Verdict.UNHEALTHY, seconds), by


def _by(attempt: Attempt) -> str:
    match = _CI_RUN.search(attempt.origin)
    return f"CI {match[1]}" if match else attempt.who


def _list_of(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return plain(value) if isinstance(value, str) and value else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float:
    """A time or a duration; what no clock can show counts as none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else 0.0
