"""A fake Proxmox VE on a loopback port, on an event loop of its own in a thread; what it lacks for our clients is added here.

fakepve is AGPL: only tests and the simulator use it, never the program.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from fakepve import FakePve, PveError, TaskError, settle
from fakepve.certs import make_cert

from cockpit.adapters.proxmox.cluster import ProxmoxCluster
from cockpit.domain.secret import Secret
from cockpit.domain.settings import ClusterSettings, CredentialSettings
from cockpit.ports import Clock

T = TypeVar("T")
PASSWORD, TOKEN = "secret", "8a1c3f52-6b7d-4e0f-9a53-6f0d2c1b4e77"
USER, TOKEN_ID = "root@pam", "root@pam!cockpit"
GIB = 1 << 30


class Pve(FakePve):  # type: ignore[misc]  # fakepve has no types
    """fakepve with tasks of the whole cluster, backups that run, and answers that are lost after the change was made."""

    lost_replies = 0
    cut_gets = 0

    def _routes_zz(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [("GET", "/cluster/tasks", self._all_tasks), ("POST", "/nodes/{node}/vzdump", self._vzdump)]

    async def _all_tasks(self, values: dict[str, Any], user: str) -> list[dict[str, Any]]:
        return [self._task_view(task, True) for task in reversed(self.tasklog[-200:])]

    async def _vzdump(self, values: dict[str, Any], user: str) -> str:
        vm = self.guest(int(str(values["vmid"])))
        storage = self.storages.get(values.get("storage", "local"))
        if vm is None or storage is None:
            raise PveError(500, f"storage '{values.get('storage')}' does not exist")

        async def body() -> str:
            if vm.lock:
                raise TaskError(f"VM is locked ({vm.lock})")
            vm.lock = "backup"
            try:
                await self.pause(5)
            finally:
                vm.lock = None
            if storage.get("avail", GIB) < GIB:
                raise TaskError("job errors")
            return "INFO: 100% (1.0 GiB of 1.0 GiB) in 5s"

        upid: str = await self.task(vm.node, "vzdump", vm.vmid, user, body)
        return upid

    async def _answer(self, request: Any, handler: Any, generic: Any, path_node: Any) -> Any:  # noqa: ANN401
        if self.cut_gets and request.method == "GET":
            self.cut_gets -= 1
            request.transport.close()
            raise ConnectionResetError("cut")
        answer = await super()._answer(request, handler, generic, path_node)
        if self.lost_replies and request.method != "GET":
            self.lost_replies -= 1
            request.transport.close()
            raise ConnectionResetError("lost reply")
        return answer


class Serving:
    """`pve` may be changed from a test's thread: its own loop only reads what is set."""

    def __init__(self, folder: Path, kind: type[Pve] = Pve) -> None:
        self.certificate, self._key, der = make_cert(str(folder), hosts=("127.0.0.1",))
        self.fingerprint = ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())
        self.pve = kind(user=USER, password=PASSWORD, host="127.0.0.1", port=0)
        self.pve.apitokens = {TOKEN_ID: TOKEN}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fakepve", daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.pve.port}"

    def start(self) -> None:
        self._thread.start()
        self.do(self.pve.start(self.certificate, self._key))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the fake on its loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        try:
            self.do(settle())
            self.do(self.pve.stop())
            self.do(_end_all())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)
            self._loop.close()

    def settings(self, *, password: bool = False, **changed: Any) -> ClusterSettings:  # noqa: ANN401
        values: dict[str, Any] = {
            "name": "home",
            "addresses": (self.address,),
            "user": USER if password else TOKEN_ID,
            "secret": CredentialSettings(env="PVE_SECRET"),
            "fingerprint": self.fingerprint,
        }
        return ClusterSettings(**(values | changed))

    def cluster(self, clock: Clock, *, password: bool = False, secret: str = "", **changed: Any) -> ProxmoxCluster:  # noqa: ANN401
        async def credential() -> Secret:
            return Secret((secret or (PASSWORD if password else TOKEN)).encode() + b"\n")

        return ProxmoxCluster(self.settings(password=password, **changed), credential, clock)


async def _end_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    found = Serving(folder)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def furnish(pve: Pve, guests: int = 4) -> None:
    """Two nodes: virtual machines from 100 on, every second one running, and a container 200."""
    pve.add_node("pve2")
    for number in range(guests):
        pve.add_vm(
            100 + number,
            f"vm{number}",
            node="pve1" if number % 2 == 0 else "pve2",
            status="running" if number % 2 == 0 else "stopped",
            config={"memory": 2048, "cores": 2, "scsi0": f"local-lvm:vm-{100 + number}-disk-0,size=32G", "agent": "1",
                    "tags": "nixos;docker"},
        )  # fmt: skip
    pve.add_ct(200, "ct0", node="pve1", status="running", config={"memory": 512, "cores": 1})
