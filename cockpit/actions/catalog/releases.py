"""Releases: every deploy and rollback."""

from __future__ import annotations

from cockpit.actions.catalog.base import EVERYWHERE, RELEASES, Action, Check, Context, Target, unlocked
from cockpit.domain.plan import Tier

ACTIONS: tuple[Action, ...] = (
    Action(
        "release.deploy", "Deploy this commit", "deploy", ("greater_than_sign",), ">", (EVERYWHERE,), Target.HOST, Tier.OUTAGE,
        "Plans a deploy of HEAD, shows it, and asks.", footer=True,
    ),
    Action("release.attach", "Attach to the run", "attach", ("a",), "a", (RELEASES,), Target.RELEASE, footer=True,
           description="Watches it to its end; starts recovery where nobody else does."),
    Action(
        "release.rollback", "Roll back to this release", "roll back", ("b",), "b", (RELEASES,), Target.RELEASE, Tier.OUTAGE,
        "On the hosts of the release, to the generation that it made.", footer=True,
    ),
)  # fmt: skip


def _attach(context: Context) -> str | None:
    if context.release is None:
        return "no release is selected"
    if not context.release.attempts:
        return "it never reached a host"
    return None


def _rollback(context: Context) -> str | None:
    if context.release is None:
        return "no release is selected"
    if not any(a.generation is not None for a in context.release.attempts):
        return "it made no generation"
    return unlocked(context)


CHECKS: dict[str, Check] = {
    "release.deploy": unlocked,
    "release.attach": _attach,
    "release.rollback": _rollback,
}
