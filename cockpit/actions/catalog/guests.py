"""Virtual machines and containers, and their snapshots."""

from __future__ import annotations

from functools import partial

from cockpit.actions.catalog.base import GUESTS, SNAPSHOTS, Action, Check, Context, Target
from cockpit.domain.guests import Verb, unfit
from cockpit.domain.plan import Tier

ACTIONS: tuple[Action, ...] = (
    Action("guest.tasks", "Tasks and their logs", "tasks", ("l",), "l", (GUESTS,), Target.GUEST, footer=True),
    Action("guest.snapshots", "Snapshots", "snapshots", ("t",), "t", (GUESTS,), Target.GUEST, footer=True),
    Action("guest.config", "Configuration", "config", ("d",), "d", (GUESTS,), Target.GUEST),
    Action(
        "guest.snapshot", "Take a snapshot", "snapshot", ("T",), "T", (GUESTS, SNAPSHOTS), Target.GUEST, Tier.REVERSIBLE,
        "Of its disks, named after the moment; of the marked ones together.", footer=True, planned=True,
    ),
    Action("guest.start", "Start", "start", ("S",), "S", (GUESTS,), Target.GUEST, Tier.REVERSIBLE, footer=True, planned=True),
    Action(
        "guest.backup", "Back up", "backup", ("b",), "b", (GUESTS,), Target.GUEST, Tier.REVERSIBLE,
        "By vzdump, while it runs, to the storage for backups that has most room.", footer=True, planned=True,
    ),
    Action("guest.reboot", "Reboot", "reboot", ("r",), "r", (GUESTS,), Target.GUEST, Tier.OUTAGE, footer=True, planned=True,
           description="Asks the guest to restart, and applies changes of its configuration that wait."),
    Action("guest.shutdown", "Shut down", "stop", ("ctrl+x",), "ctrl+x", (GUESTS,), Target.GUEST, Tier.OUTAGE, footer=True,
           planned=True, description="Asks the guest to power off."),
    Action("guest.stop", "Stop at once", "stop now", ("X",), "X", (GUESTS,), Target.GUEST, Tier.OUTAGE, planned=True,
           description="Cuts the power of a guest that does not shut down."),
    Action(
        "snapshot.rollback", "Roll back to this snapshot", "roll back", ("b",), "b", (SNAPSHOTS,), Target.SNAPSHOT,
        Tier.DATA_LOSS, "Everything that was written since is lost.", footer=True, planned=True,
    ),
    Action("snapshot.delete", "Delete this snapshot", "delete", ("D",), "D", (SNAPSHOTS,), Target.SNAPSHOT, Tier.DATA_LOSS,
           footer=True, planned=True),
)  # fmt: skip


def _selected(context: Context) -> str | None:
    return None if context.guests else "no guest is selected"


def _possible(verb: Verb, context: Context) -> str | None:
    """Of several guests one that fits is enough: the plan leaves out the others, and says so."""
    if not context.guests:
        return "no guest is selected"
    reasons = []
    for guest in context.guests:
        reason = unfit(guest, verb)
        if reason is None and context.rights is not None and (missing := context.rights.lacks(guest, verb)):
            reason = f"{context.rights.user} lacks {missing}"
        if reason is None:
            return None
        reasons.append(reason)
    return reasons[0]


def _of_snapshot(verb: Verb, context: Context) -> str | None:
    if context.snapshot is None:
        return "no snapshot is selected"
    return _possible(verb, context)


CHECKS: dict[str, Check] = {
    "guest.tasks": _selected,
    "guest.snapshots": _selected,
    "guest.config": _selected,
    "guest.snapshot": partial(_possible, Verb.SNAPSHOT),
    "guest.start": partial(_possible, Verb.START),
    "guest.backup": partial(_possible, Verb.BACKUP),
    "guest.reboot": partial(_possible, Verb.REBOOT),
    "guest.shutdown": partial(_possible, Verb.SHUTDOWN),
    "guest.stop": partial(_possible, Verb.STOP),
    "snapshot.rollback": partial(_of_snapshot, Verb.ROLLBACK),
    "snapshot.delete": partial(_of_snapshot, Verb.DELETE_SNAPSHOT),
}
