"""What can be done now: the catalogue seen from where the focus is. Footer, menu, help and palette are made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from cockpit.actions.catalog import Action, Context, Target, actions_for, possible
from cockpit.domain.plan import Tier
from cockpit.tui.ink import EMPTY, Line, shape, t

TIER_WORDS = {Tier.READ: "", Tier.REVERSIBLE: "", Tier.OUTAGE: "outage", Tier.DATA_LOSS: "data loss"}


def tier_mark(tier: Tier) -> Line:
    """The shape behind a word of the footer."""
    if tier is Tier.OUTAGE:
        return shape("▲")
    return shape("✕") if tier is Tier.DATA_LOSS else EMPTY


def tier_words(tier: Tier, armed: bool) -> Line:
    """The tier in words, for help, menu and palette."""
    if tier is Tier.REVERSIBLE and not armed:
        return t("y once", "muted")
    if tier is Tier.OUTAGE:
        return shape("▲") + t(" outage", "warn")
    return shape("✕") + t(" data loss", "bad") if tier is Tier.DATA_LOSS else EMPTY


class Command(Struct, frozen=True):
    """An action as it stands now."""

    action: Action
    keys: str
    target: str
    reason: str | None
    """Why it cannot be done; None when it can."""
    run: Callable[[], object]


def available(context: Context) -> Sequence[tuple[Action, str | None]]:
    """Every action of this focus and why it cannot be done now; a key's own list comes first."""
    return [(action, possible(action, context)) for action in actions_for(context.focus)]


def target_of(action: Action, context: Context, row: str) -> str:
    """What an action would act on, in words."""
    if action.target in (Target.NONE, Target.PANE, Target.LINES):
        return ""
    if context.hosts and action.id == "release.deploy":
        return ", ".join(context.hosts)
    return (context.host or "every host") if action.target is Target.HOST else row
