"""PVE's JSON as values of the domain. Every text comes from outside, and is made harmless here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cockpit.domain.guests import Addresses, Guest, GuestKind, GuestTask, Node, Rights, Snapshot, Storage
from cockpit.domain.text import plain

_TAGS = re.compile(r"[;,\s]+")
MOST_TASKS = 200


def _number(value: object) -> float:
    if type(value) is int or type(value) is float:
        return float(value)
    try:
        return float(value or 0)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def _bytes(value: object) -> int:
    return value if type(value) is int else int(_number(value))


def _flag(value: object) -> bool:
    if type(value) is int:
        return value == 1
    return str(value).lower() in ("1", "true", "yes")


def _text(value: object) -> str:
    """Most texts of an answer are plain ASCII, and there are eight in a row of thousands."""
    text = value if type(value) is str else str(value or "")
    return text if text.isascii() and text.isprintable() else plain(text)


@lru_cache(512)
def _tags(value: str) -> tuple[str, ...]:
    return tuple(plain(tag) for tag in _TAGS.split(value) if tag)


def guest_of(cluster: str, row: Mapping[str, Any]) -> Guest:
    """A guest of /cluster/resources, or of status/current with `node`, `type` and `vmid` added."""
    return Guest(
        cluster=cluster,
        node=_text(row.get("node")),
        vmid=int(row["vmid"]),
        kind=GuestKind.LXC if row.get("type") == "lxc" else GuestKind.QEMU,
        name=_text(row.get("name")),
        status="paused" if row.get("qmpstatus") in ("paused", "suspended") else _text(row.get("status") or "unknown"),
        template=_flag(row.get("template", 0)),
        cpu=_number(row.get("cpu")),
        cores=_number(row.get("maxcpu", row.get("cpus"))),
        memory=_bytes(row.get("mem")),
        memory_limit=_bytes(row.get("maxmem")),
        disk=_bytes(row.get("disk")),
        disk_limit=_bytes(row.get("maxdisk")),
        uptime=_number(row.get("uptime")),
        tags=_tags(str(row.get("tags") or "")),
        lock=_text(row.get("lock")),
        pool=_text(row.get("pool")),
        ha=_text(row.get("hastate")),
    )


def node_of(cluster: str, row: Mapping[str, Any], addresses: Mapping[str, str]) -> Node:
    name = plain(str(row.get("node", "")))
    return Node(
        cluster, name, row.get("status") == "online", _number(row.get("cpu")), _number(row.get("maxcpu")), _bytes(row.get("mem")),
        _bytes(row.get("maxmem")), _bytes(row.get("disk")), _bytes(row.get("maxdisk")), _number(row.get("uptime")),
        addresses.get(name, ""),
    )  # fmt: skip


def storage_of(cluster: str, row: Mapping[str, Any]) -> Storage:
    return Storage(
        cluster, plain(str(row.get("node", ""))), plain(str(row.get("storage", ""))), plain(str(row.get("plugintype") or "")),
        row.get("status") == "available", _bytes(row.get("disk")), _bytes(row.get("maxdisk")), _flag(row.get("shared", 0)),
        tuple(plain(c) for c in str(row.get("content") or "").split(",") if c),
    )  # fmt: skip


def resources(
    cluster: str, rows: Sequence[Any], addresses: Mapping[str, str]
) -> tuple[tuple[Guest, ...], tuple[Node, ...], tuple[Storage, ...]]:
    """One answer of /cluster/resources. A row that is none of ours (pool, sdn) is left out."""
    guests: list[Guest] = []
    nodes: list[Node] = []
    storages: list[Storage] = []
    for row in rows:
        kind = row.get("type") if isinstance(row, dict) else None
        if kind in ("qemu", "lxc"):
            guests.append(guest_of(cluster, row))
        elif kind == "node":
            nodes.append(node_of(cluster, row, addresses))
        elif kind == "storage":
            storages.append(storage_of(cluster, row))
    return (
        tuple(sorted(guests, key=lambda g: (g.node, g.vmid))),
        tuple(sorted(nodes, key=lambda n: n.name)),
        tuple(sorted(storages, key=lambda s: (s.node, s.name))),
    )


def status(rows: Iterable[Any]) -> tuple[bool, dict[str, str]]:
    """/cluster/status: (quorate, node -> address). A single node has no row `cluster` and needs no quorum."""
    quorate, found = True, {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        if row.get("type") == "cluster":
            quorate = _flag(row.get("quorate", 1))
        elif row.get("type") == "node":
            found[plain(str(row.get("name", "")))] = plain(str(row.get("ip") or ""))
    return quorate, found


def rights_of(user: str, answer: Mapping[str, Any]) -> Rights:
    return Rights(
        user,
        {
            str(path): {str(privilege): _flag(passed) for privilege, passed in held.items()}
            for path, held in answer.items()
            if isinstance(held, dict)
        },
    )


def snapshots_of(rows: Iterable[Any]) -> tuple[Snapshot, ...]:
    """Without the row `current`, which is how things are now."""
    found = [
        Snapshot(
            plain(str(row.get("name", ""))), _number(row["snaptime"]) if row.get("snaptime") else None,
            plain(str(row.get("description") or "").strip()), plain(str(row.get("parent") or "")), _flag(row.get("vmstate", 0)),
        )
        for row in rows if isinstance(row, dict) and row.get("name") not in (None, "current")
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda s: (s.taken or 0.0, s.name)))


def task_of(cluster: str, row: Mapping[str, Any]) -> GuestTask:
    """A row of a list (exit status in `status`) or the answer of /status (`status` running or stopped, `exitstatus`)."""
    upid = str(row.get("upid", ""))
    told = row.get("exitstatus") if "exitstatus" in row else row.get("status")
    done = told is not None and str(told) not in ("running", "stopped", "")
    user = str(row.get("user") or "")
    if row.get("tokenid") and "!" not in user:
        user = f"{user}!{row['tokenid']}"
    return GuestTask(
        upid=upid,
        cluster=cluster,
        node=plain(str(row.get("node") or _part(upid, 1))),
        kind=plain(str(row.get("type") or _part(upid, 5))),
        target=plain(str(row.get("id") if row.get("id") is not None else _part(upid, 6))),
        user=plain(user or _part(upid, 7)),
        started=_number(row.get("starttime")),
        ended=_number(row["endtime"]) if row.get("endtime") else None,
        exit=plain(str(told)) if done else "",
    )


def tasks_of(cluster: str, rows: Iterable[Any]) -> tuple[GuestTask, ...]:
    found = [task_of(cluster, row) for row in rows if isinstance(row, dict) and row.get("upid")]
    return tuple(sorted(found, key=lambda task: (not task.running, -task.started))[:MOST_TASKS])


def node_of_task(upid: str) -> str:
    return _part(upid, 1)


def _part(upid: str, index: int) -> str:
    parts = upid.split(":")
    return parts[index] if len(parts) > index else ""


def interfaces(rows: Iterable[Any]) -> Addresses:
    """Addresses of the agent (`ip-addresses`) or of a container (`inet`, `inet6`), IPv4 first; none of loopback or link-local."""
    found: list[str] = []
    for row in rows:
        if not isinstance(row, dict) or row.get("name") == "lo":
            continue
        listed = [str(ip.get("ip-address", "")) for ip in row.get("ip-addresses") or () if isinstance(ip, dict)]
        listed += [str(row[key]).partition("/")[0] for key in ("inet", "inet6") if row.get(key)]
        found += [plain(ip) for ip in listed if ip and not ip.lower().startswith(("127.", "::1", "fe80:", "169.254."))]
    return Addresses(tuple(sorted(dict.fromkeys(found), key=lambda ip: ":" in ip)), True)


def config_of(answer: Mapping[str, Any]) -> dict[str, str]:
    return {plain(str(key)): plain(str(value)) for key, value in answer.items() if key != "digest"}


def log_of(rows: Iterable[Any]) -> tuple[str, ...]:
    """Lines of a task; PVE says `no content` where there is none yet."""
    found = tuple(plain(str(row.get("t") or "")) for row in rows if isinstance(row, dict))
    return () if found == ("no content",) else found
