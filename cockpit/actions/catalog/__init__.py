"""Every action, once: bindings, footer, help, palette, menus and the documentation are made from this table."""

from __future__ import annotations

from cockpit.actions.catalog import files, general, guests, hosts, releases, services
from cockpit.actions.catalog.base import (
    CONTEXTS,
    EDITOR,
    EVERYWHERE,
    FILES,
    GENERATIONS,
    GUESTS,
    HOSTS,
    LISTS,
    LOGS,
    OVERVIEW,
    RELEASES,
    SERVICES,
    SNAPSHOTS,
    Action,
    Check,
    Context,
    FilesAt,
    Target,
)
from cockpit.actions.catalog.files import WHILE_TYPING
from cockpit.domain.plan import Tier

__all__ = [
    "ACTIONS",
    "BY_ID",
    "CONTEXTS",
    "EDITOR",
    "EVERYWHERE",
    "FILES",
    "GENERATIONS",
    "GUESTS",
    "HOSTS",
    "LISTS",
    "LOGS",
    "OVERVIEW",
    "RELEASES",
    "SERVICES",
    "SNAPSHOTS",
    "WHILE_TYPING",
    "Action",
    "Context",
    "FilesAt",
    "Target",
    "actions_for",
    "possible",
]

_ROOMS = (general, guests, hosts, services, releases, files)

ACTIONS: tuple[Action, ...] = tuple(action for room in _ROOMS for action in room.ACTIONS)
BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
_CHECKS: dict[str, Check] = {name: check for room in _ROOMS for name, check in room.CHECKS.items()}


def actions_for(context: str) -> tuple[Action, ...]:
    """What works where this has the focus: its own first, then what works everywhere."""
    own = tuple(a for a in ACTIONS if context in a.contexts and context != EVERYWHERE)
    return own + tuple(a for a in ACTIONS if EVERYWHERE in a.contexts)


def possible(action: Action, context: Context) -> str | None:
    """Why the action cannot be done now; None when it can."""
    if not action.works_in(context.focus):
        return f"only in {' and '.join(action.contexts)}"
    if action.target not in (Target.NONE, Target.PANE, Target.LINES) and not context.rows:
        return "the list is empty"
    if action.tier is not Tier.READ and context.busy is not None:
        return f"run {context.busy} is at work on {context.host}"
    check = _CHECKS.get(action.id)
    return check(context) if check is not None else None
