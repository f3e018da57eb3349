"""Each change as the one API call that starts its task, and as the command that a person would type on a node."""

from __future__ import annotations

import shlex

from msgspec import Struct

from cockpit.domain.guests import GuestChange, GuestKind, Verb

_POWER = {Verb.START: "start", Verb.SHUTDOWN: "shutdown", Verb.STOP: "stop", Verb.REBOOT: "reboot"}
_TASKS = {
    Verb.START: ("start",),
    Verb.SHUTDOWN: ("shutdown", "stop"),
    Verb.STOP: ("stop",),
    Verb.REBOOT: ("reboot",),
    Verb.SNAPSHOT: ("snapshot",),
    Verb.ROLLBACK: ("rollback",),
    Verb.DELETE_SNAPSHOT: ("delsnapshot",),
}


class Call(Struct, frozen=True):
    method: str
    path: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...] = ()


def call_of(change: GuestChange) -> Call:
    guest = change.guest
    at = ("nodes", guest.node, guest.kind.value, str(guest.vmid))
    if change.verb in _POWER:
        return Call("POST", (*at, "status", _POWER[change.verb]))
    if change.verb is Verb.SNAPSHOT:
        described = (("description", change.description),) if change.description else ()
        return Call("POST", (*at, "snapshot"), (("snapname", change.snapshot), *described))
    if change.verb is Verb.ROLLBACK:
        return Call("POST", (*at, "snapshot", change.snapshot, "rollback"))
    if change.verb is Verb.DELETE_SNAPSHOT:
        return Call("DELETE", (*at, "snapshot", change.snapshot))
    return Call(
        "POST",
        ("nodes", guest.node, "vzdump"),
        (("vmid", str(guest.vmid)), ("storage", change.storage), ("mode", "snapshot"), ("compress", "zstd")),
    )


def command(change: GuestChange) -> str:
    call = call_of(change)
    verb = {"POST": "create", "DELETE": "delete"}[call.method]
    words = ["pvesh", verb, "/" + "/".join(call.path)]
    for name, value in call.parameters:
        words += [f"--{name}", value]
    return shlex.join(words)


def task_types(change: GuestChange) -> frozenset[str]:
    """The types that its task may have; HA has its own for power."""
    if change.verb is Verb.BACKUP:
        return frozenset({"vzdump"})
    prefix = "qm" if change.guest.kind is GuestKind.QEMU else "vz"
    return frozenset(f"{p}{word}" for word in _TASKS[change.verb] for p in (prefix, "ha"))
