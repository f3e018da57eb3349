"""The same cases on the simulator's cluster and on plain fakepve, through the adapter that real clusters are read by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest

from cockpit.adapters.clock import SystemClock
from cockpit.adapters.proxmox.cluster import ProxmoxCluster
from cockpit.adapters.sops.store import SopsStore
from cockpit.config import load_user
from cockpit.domain.errors import HostKeyMismatch, UsageError
from cockpit.domain.guests import GuestChange, GuestKind, GuestTask, Verb
from cockpit.wiring import credential
from tests.contract.pve import furnish, serving
from tests.contract.simulated import simulated

# a call that is given up leaves its socket to its thread
pytestmark = [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

OFF = {"simulator": 121, "fakepve": 101}
"""A virtual machine that is off."""
STORE = {"simulator": "nfs-bak", "fakepve": "local"}


@pytest.fixture(params=["simulator", "fakepve"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def cluster(place: str, tmp_path: Path) -> AsyncGenerator[ProxmoxCluster]:
    if place == "fakepve":
        with serving(tmp_path) as served:
            furnish(served.pve)
            yield (found := served.cluster(SystemClock()))
            await found.close()
        return
    with simulated() as world:
        settings = world.settings.clusters["home"]
        root = world.config.parent
        secret = partial(credential, settings.secret, root, SopsStore(root, load_user().identity))
        yield (found := ProxmoxCluster(settings, secret, SystemClock()))
        await found.close()


async def ended(cluster: ProxmoxCluster, upid: str) -> GuestTask:
    async with asyncio.timeout(30):
        while (task := await cluster.task(upid)).running:
            await SystemClock().sleep(0.02)
    return task


async def changed(cluster: ProxmoxCluster, vmid: int, verb: Verb, **values: str) -> GuestTask:
    guest = await cluster.guest(vmid)
    return await ended(cluster, await cluster.change(GuestChange(guest, verb, **values)))


async def test_everything_of_two_nodes_in_one_reading(cluster: ProxmoxCluster) -> None:
    seen = await cluster.snapshot()
    assert [node.name for node in seen.nodes] == ["pve1", "pve2"]
    for node in seen.nodes:
        assert node.online and node.address and node.cores > 0 and 0 < node.memory <= node.memory_limit
    assert {guest.kind for guest in seen.guests} == set(GuestKind)
    assert {guest.status for guest in seen.guests} == {"running", "stopped"}
    assert [(g.node, g.vmid) for g in seen.guests] == sorted((g.node, g.vmid) for g in seen.guests)
    for guest in seen.guests:
        assert guest.name and guest.memory_limit > 0
        assert (guest.cpu > 0 or guest.kind is GuestKind.LXC) if guest.running else guest.cpu == 0
    assert seen.storages and all(storage.available and storage.size > 0 for storage in seen.storages)
    assert seen.quorate and seen.rights.has("/vms/100", "VM.PowerMgmt")


async def test_what_there_is_to_know_of_one(cluster: ProxmoxCluster, place: str) -> None:
    guest = await cluster.guest(100)
    assert guest.running and guest.node == "pve1" and "nixos" in guest.tags
    config = await cluster.config(guest)
    assert int(config["memory"]) > 0 and "size=" in config["scsi0"]
    assert await cluster.snapshots(guest) == ()
    assert (await cluster.addresses(await cluster.guest(OFF[place]))).found == ()
    with pytest.raises(UsageError, match="no guest 999"):
        await cluster.guest(999)


async def test_on_and_off(cluster: ProxmoxCluster, place: str) -> None:
    vmid = OFF[place]
    for verb, status, kind in (
        (Verb.START, "running", "qmstart"),
        (Verb.REBOOT, "running", "qmreboot"),
        (Verb.SHUTDOWN, "stopped", "qmshutdown"),
        (Verb.START, "running", "qmstart"),
        (Verb.STOP, "stopped", "qmstop"),
    ):
        task = await changed(cluster, vmid, verb)
        assert (task.kind, task.exit) == (kind, "OK")
        assert (await cluster.guest(vmid)).status == status
    assert {task.kind for task in await cluster.tasks(await cluster.guest(vmid))} >= {"qmstart", "qmreboot", "qmstop"}


async def test_snapshots_come_and_go(cluster: ProxmoxCluster, place: str) -> None:
    vmid = OFF[place]
    assert (await changed(cluster, vmid, Verb.SNAPSHOT, snapshot="before", description="by hand")).ok
    (snapshot,) = await cluster.snapshots(await cluster.guest(vmid))
    assert (snapshot.name, snapshot.description) == ("before", "by hand")
    assert (await changed(cluster, vmid, Verb.ROLLBACK, snapshot="before")).ok
    assert (await changed(cluster, vmid, Verb.DELETE_SNAPSHOT, snapshot="before")).ok
    assert await cluster.snapshots(await cluster.guest(vmid)) == ()


async def test_a_backup_tells_how_far_it_is_and_how_it_ended(cluster: ProxmoxCluster, place: str) -> None:
    task = await changed(cluster, OFF[place], Verb.BACKUP, storage=STORE[place])
    assert task.ok and task.kind == "vzdump"
    log = await cluster.task_log(task.upid)
    assert "100%" in "".join(log) and log[-1] == "TASK OK"
    assert task.upid in {known.upid for known in (await cluster.snapshot()).tasks}


async def test_a_task_that_fails_says_why(cluster: ProxmoxCluster) -> None:
    task = await changed(cluster, 100, Verb.START)
    assert not task.ok and task.exit == "VM 100 already running"


async def test_another_certificate_is_refused(cluster: ProxmoxCluster) -> None:
    from msgspec.structs import replace

    settings = replace(cluster.settings, fingerprint=":".join(["AB"] * 32))
    other = ProxmoxCluster(settings, cluster._credential, SystemClock())
    with pytest.raises(HostKeyMismatch):
        await other.snapshot()
    await other.close()
