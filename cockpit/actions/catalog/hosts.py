"""Hosts and their generations."""

from __future__ import annotations

from cockpit.actions.catalog.base import EVERYWHERE, GENERATIONS, HOSTS, RELEASES, Action, Check, Context, Target, unlocked
from cockpit.domain.hosts import Badge
from cockpit.domain.plan import Tier

ACTIONS: tuple[Action, ...] = (
    Action(
        "host.previous", "Roll back to the last good release", "previous", ("less_than_sign",), "<", (EVERYWHERE,), Target.HOST,
        Tier.OUTAGE, "Plans a rollback to the previous good generation, shows it, and asks.",
    ),
    Action(
        "host.rollback", "Roll back to this generation", "roll back", ("b",), "b", (GENERATIONS,), Target.GENERATION, Tier.OUTAGE,
        "The same transaction as a deploy, with an earlier generation as its target; leaves a hold.", footer=True,
    ),
    Action(
        "generation.diff", "Differences with the running one", "diff", ("d",), "d", (GENERATIONS,), Target.GENERATION,
        description="Packages, services and secrets; of A and B where two are picked.", footer=True,
    ),
    Action("generation.pick", "Pick as A or B", "A/B", ("v",), "v", (GENERATIONS,), Target.GENERATION, footer=True),
    Action(
        "host.resume", "Lift the hold", "lift hold", ("R",), "R", (HOSTS, GENERATIONS, RELEASES), Target.HOST, Tier.REVERSIBLE,
        "Lets the next deploy bring back what a rollback left behind; deploys nothing.", footer=True,
    ),
    Action("host.units", "Units", "units", ("u",), "u", (HOSTS, GENERATIONS), Target.HOST, description="Failed ones first."),
    Action("host.journal", "Journal of the host", "journal", ("J",), "J", (HOSTS, GENERATIONS), Target.HOST),
)  # fmt: skip


def _rollback(context: Context) -> str | None:
    generation = context.generation
    if generation is None:
        return "no generation is selected"
    if Badge.TEST_ONLY in generation.badges or generation.number is None:
        return "this is no generation: it runs from a test"
    if Badge.RUNNING in generation.badges:
        return "this generation is running"
    return unlocked(context)


def _previous(context: Context) -> str | None:
    if context.facts is not None and sum(1 for g in context.facts.generations if g.number is not None) < 2:
        return "there is no earlier generation"
    return unlocked(context)


def _diff(context: Context) -> str | None:
    if context.generation is None:
        return "no generation is selected"
    return None


def _resume(context: Context) -> str | None:
    if context.facts is None or context.facts.hold is None:
        return "nothing is held"
    return unlocked(context)


CHECKS: dict[str, Check] = {
    "host.previous": _previous,
    "host.rollback": _rollback,
    "generation.diff": _diff,
    "generation.pick": _diff,
    "host.resume": _resume,
}
