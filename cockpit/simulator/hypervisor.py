"""A Proxmox VE cluster of two nodes on a loopback port.

fakepve is AGPL: it is only ever loaded in the simulator's own process, never in the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any

from fakepve import FakePve, PveError, TaskError
from fakepve.certs import make_cert

from cockpit.simulator.guests import (
    GIB,
    NIGHTLY,
    NODES,
    PAST,
    SEEDS,
    SNAPSHOTS,
    STORAGES,
    Seed,
    backup_log,
    config,
    interfaces,
    task,
)

USER = "cockpit@pve!demo"
MOST_TASKS = 300
BACKUP = 24.0
"""Seconds that a backup takes."""
EVERY = 50.0
"""Seconds between two backups of the demo's own."""


class Cluster(FakePve):  # type: ignore[misc]  # fakepve has no types
    """fakepve with the demo's guests, tasks of the whole cluster, backups that run, and numbers that breathe."""

    def __init__(self, folder: Path, pace: float) -> None:
        token = token_hex(16)
        self.token = "-".join((token[:8], token[8:12], token[12:16], token[16:20], token[20:]))
        super().__init__(user="root@pam", password=token_hex(16), host="127.0.0.1", port=0)
        self._certificate, self._key, der = make_cert(str(folder), hosts=("127.0.0.1",))
        self.fingerprint = ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())
        self.apitokens = {USER: self.token}
        self.cluster_name = "home"
        self.time_scale = pace
        self.max_requests = 50
        self.seeds = {seed.vmid: seed for seed in SEEDS}
        self._furnish(time.time())
        self._nightly: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _furnish(self, now: float) -> None:
        self.nodes = {name: {"online": True} for name in NODES}
        self.storages = {name: {"active": 1, "files": set(), **kept} for name, kept in STORAGES.items()}
        for seed in SEEDS:
            status = "running" if seed.days else "stopped"
            add = self.add_ct if seed.lxc else self.add_vm
            guest = add(seed.vmid, seed.name, node=seed.node, status=status, config=config(seed), template=seed.template)
            guest.started_at = now - seed.days * 86400 if seed.days else None
            guest.start_secs, guest.stop_secs, guest.shutdown_secs = 1.5, 0.5, 3
            if not seed.lxc and not seed.template:
                guest.agent = {"interfaces": interfaces(seed)}
            parent = ""
            for name, ago, text in SNAPSHOTS.get(seed.vmid, ()):
                kept = {key: value for key, value in guest.config.items() if key != "tags"}
                kept |= {"snaptime": int(now - ago), "description": text} | ({"parent": parent} if parent else {})
                guest.snapshots[name], parent = kept, name
            if parent:
                guest.config["parent"] = parent
        for number, row in enumerate(sorted(PAST, key=lambda row: -row[4])):
            record = task(number, now, row)
            self.tasks[record["upid"]] = record
            self.tasklog.append(record)

    async def up(self) -> None:
        await self.start(self._certificate, self._key)
        self._nightly = asyncio.ensure_future(self._back_up())

    async def down(self) -> None:
        if self._nightly is not None:
            self._nightly.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._nightly
        await self.stop()

    def power(self, vmid: int) -> float | None:
        """When the guest was started; None while it is off."""
        guest = self.guest(vmid)
        return guest.started_at if guest is not None and guest.status == "running" else None

    async def _back_up(self) -> None:
        number = 0
        while True:
            vmid, storage = NIGHTLY[number % len(NIGHTLY)]
            guest = self.guest(vmid)
            if guest is not None and not guest.lock:
                await self._vzdump({"vmid": vmid, "storage": storage}, "root@pam")
            number += 1
            await asyncio.sleep(EVERY)
            for record in self.tasklog[:-MOST_TASKS]:
                self.tasks.pop(record["upid"], None)
            del self.tasklog[:-MOST_TASKS]

    # ---- what fakepve leaves out -----------------------------------------------------------------------------------------------

    def _routes_zz(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [("GET", "/cluster/tasks", self._all_tasks), ("POST", "/nodes/{node}/vzdump", self._vzdump)]

    async def _all_tasks(self, values: dict[str, Any], user: str) -> list[dict[str, Any]]:
        return [self._task_view(record, True) for record in reversed(self.tasklog[-200:])]

    async def _vzdump(self, values: dict[str, Any], user: str) -> str:
        guest = self.guest(int(str(values["vmid"])))
        storage = str(values.get("storage", "nfs-bak"))
        if guest is None or storage not in self.storages:
            raise PveError(500, f"storage '{storage}' does not exist")
        seed = self.seeds.get(guest.vmid)
        first, steps = backup_log(guest.vmid, "lxc" if seed and seed.lxc else "qemu", storage, (seed.disk if seed else 8) * 0.6)
        log = list(first)

        async def body() -> None:
            if guest.lock:
                raise TaskError(f"VM is locked ({guest.lock})")
            self._lock(guest, "backup")
            try:
                for step in steps:
                    await self.pause(BACKUP / len(steps))
                    record["log"].append(step)
            finally:
                self._lock(guest, None)

        upid: str = await self.task(guest.node, "vzdump", guest.vmid, user, body, log=log)
        record = self.tasks[upid]
        return upid

    @staticmethod
    def _lock(guest: Any, word: str | None) -> None:  # noqa: ANN401 - fakepve has no types
        """A container's lock is part of its configuration; a virtual machine's stands beside it too."""
        if "hostname" not in guest.config:
            guest.lock = word
        if word is None:
            guest.config.pop("lock", None)
        else:
            guest.config["lock"] = word

    # ---- numbers that breathe --------------------------------------------------------------------------------------------------

    def _vm_usage(self, vm: Any) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = super()._vm_usage(vm)
        return found | self._breath(vm) if vm.status == "running" else found

    def _status(self, ct: Any) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = super()._status(ct)
        return found | self._breath(ct) if ct.status == "running" else found

    def ct_resources(self, user: str, kind: str | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = super().ct_resources(user, kind)
        for row in rows:
            if row["status"] == "running":
                row |= self._breath(self.guest(row["vmid"]))
        return rows

    def _breath(self, guest: Any) -> dict[str, Any]:  # noqa: ANN401
        seed = self.seeds.get(guest.vmid) or Seed("", guest.vmid, False, "", 1, 0.02, 0.3, 1, 8, "")
        now = time.time()
        wave = math.sin(now / (11 + seed.vmid % 17)) + 0.5 * math.sin(now / (3 + seed.vmid % 5))
        found = {
            "cpu": max(0.002, min(1.0, seed.cpu * (1 + 0.35 * wave))),
            "mem": int(min(seed.limit, seed.memory * (1 + 0.01 * wave)) * GIB),
        }
        return found | ({"disk": int(seed.disk * 0.36) * GIB} if seed.lxc else {})

    async def _resources(self, request: Any) -> Any:  # noqa: ANN401
        """With nodes that carry what their guests use, and storages that are as full as they are."""
        response = await super()._resources(request)
        data = json.loads(response.text)["data"]
        guests = [row for row in data if row["type"] in ("qemu", "lxc")]
        for row in data:
            if row["type"] == "node" and row["status"] == "online" and row["node"] in NODES:
                _, cores, memory, disk, used = NODES[row["node"]]
                here = [guest for guest in guests if guest["node"] == row["node"]]
                row |= {
                    "maxcpu": cores, "maxmem": memory * GIB, "maxdisk": disk * GIB, "disk": used * GIB, "uptime": 62 * 86400,
                    "cpu": min(1.0, 0.02 + sum(g["cpu"] * g["maxcpu"] for g in here) / cores / 2),
                    "mem": int(2.1 * GIB) + sum(g["mem"] for g in here),
                }  # fmt: skip
            elif row["type"] == "storage" and row["status"] == "available":
                row["maxdisk"], _, free = self._space(self.storages[row["storage"]])
                row["disk"] = row["maxdisk"] - free
        response.text = json.dumps({"data": data})
        return response

    async def _cluster_status(self, request: Any) -> Any:  # noqa: ANN401
        response = await super()._cluster_status(request)
        data = json.loads(response.text)["data"]
        for row in data:
            if row["type"] == "node" and row["name"] in NODES:
                row["ip"] = NODES[row["name"]][0]
        response.text = json.dumps({"data": data})
        return response


def settings(cluster: Cluster) -> str:
    """Its part of cockpit.yaml."""
    return (
        f"clusters:\n  home:\n    addresses: [{cluster.address}]\n    user: {USER}\n"
        f"    secret: {{file: secrets/pve.yaml, key: pve.token}}\n    fingerprint: {cluster.fingerprint}\n"
    )
