"""Operations of the catalogue by their id: what the terminal UI does with a key, for whoever has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches

from cockpit.actions.bundle import Cockpit
from cockpit.actions.run import Approval, Run
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.guests import Verb

Work = Callable[[Run, Approval], Awaitable[Outcome]]

GUEST_VERBS = {
    "guest.start": Verb.START,
    "guest.shutdown": Verb.SHUTDOWN,
    "guest.stop": Verb.STOP,
    "guest.reboot": Verb.REBOOT,
    "guest.snapshot": Verb.SNAPSHOT,
    "guest.backup": Verb.BACKUP,
    "snapshot.rollback": Verb.ROLLBACK,
    "snapshot.delete": Verb.DELETE_SNAPSHOT,
}
SERVICE_VERBS = {
    "service.start": Lifecycle.START,
    "service.stop": Lifecycle.STOP,
    "service.restart": Lifecycle.RESTART,
    "service.up": Lifecycle.UP,
    "service.pull": Lifecycle.PULL,
    "project.up": Lifecycle.UP,
    "project.down": Lifecycle.DOWN,
}
IDS = (*SERVICE_VERBS, *GUEST_VERBS)


def operation(cockpit: Cockpit, action: str, targets: Sequence[str]) -> Work:
    """Targets: `HOST/PROJECT[/SERVICE]`, `CLUSTER/VMID`, of snapshots `CLUSTER/VMID@NAME`. UsageError for what there is not."""
    if action in SERVICE_VERBS:
        return _services(cockpit, action, targets)
    if action in GUEST_VERBS:
        return _guests(cockpit, GUEST_VERBS[action], targets)
    near = get_close_matches(action, IDS, n=1)
    raise UsageError(
        f"there is no operation {action!r}", f"operations: {', '.join(IDS)}", f"did you mean {near[0]}?" if near else ""
    )


def _services(cockpit: Cockpit, action: str, targets: Sequence[str]) -> Work:
    for target in targets:
        parts = target.split("/")
        if not 2 <= len(parts) <= 4 or not parts[0]:
            raise UsageError(f"{target!r} is no service", "", "HOST/PROJECT/SERVICE, or HOST/PROJECT for all of a project")
        if action.startswith("project.") and len(parts) != 2:
            raise UsageError(f"{action} is of a whole project", f"{target} is a service", f"{parts[0]}/{parts[1]}")
    return lambda run, approve: cockpit.services.execute(SERVICE_VERBS[action], targets, run, approve)


def _guests(cockpit: Cockpit, verb: Verb, targets: Sequence[str]) -> Work:
    refs = [target.partition("@")[0] for target in targets]
    names = {target.partition("@")[2] for target in targets}
    named = verb in (Verb.SNAPSHOT, Verb.ROLLBACK, Verb.DELETE_SNAPSHOT)
    if len(names) > 1 or (names != {""} and not named):
        raise UsageError("one name for all of them, or none", "", "CLUSTER/VMID[@SNAPSHOT]")
    snapshot = names.pop() if names else ""
    if verb in (Verb.ROLLBACK, Verb.DELETE_SNAPSHOT) and not snapshot:
        raise UsageError("which snapshot?", "", "CLUSTER/VMID@NAME")
    return lambda run, approve: cockpit.guests.execute(verb, refs, run, approve, snapshot=snapshot)
