"""Every call and every fault of a cluster, over HTTPS against a fake of Proxmox VE."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters.clock import SystemClock
from cockpit.adapters.proxmox.cluster import ProxmoxCluster
from cockpit.domain.errors import (
    CockpitError,
    HostKeyMismatch,
    Locked,
    OperationFailed,
    OutcomeUnknown,
    Refused,
    Unreachable,
    UsageError,
)
from cockpit.domain.guests import Guest, GuestChange, GuestKind, GuestTask, Verb
from tests.contract.pve import TOKEN_ID, USER, Pve, Serving, furnish, serving

# a call that is given up leaves its socket to its thread
pytestmark = [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as found:
        furnish(found.pve)
        yield found


@pytest.fixture
def pve(served: Serving) -> Pve:
    return served.pve


@pytest.fixture(params=["token", "password"])
async def cluster(request: pytest.FixtureRequest, served: Serving) -> AsyncGenerator[ProxmoxCluster]:
    found = served.cluster(SystemClock(), password=request.param == "password")
    yield found
    await found.close()


@pytest.fixture
async def token(served: Serving) -> AsyncGenerator[ProxmoxCluster]:
    found = served.cluster(SystemClock())
    yield found
    await found.close()


async def ended(cluster: ProxmoxCluster, upid: str) -> GuestTask:
    async with asyncio.timeout(20):
        while (task := await cluster.task(upid)).running:
            await SystemClock().sleep(0.02)
    return task


async def changed(cluster: ProxmoxCluster, vmid: int, verb: Verb, **values: str) -> GuestTask:
    guest = await cluster.guest(vmid)
    return await ended(cluster, await cluster.change(GuestChange(guest, verb, **values)))


# reading


async def test_a_snapshot_of_everything(cluster: ProxmoxCluster) -> None:
    seen = await cluster.snapshot()
    assert [(g.vmid, g.node, g.status) for g in seen.guests] == [
        (100, "pve1", "running"), (102, "pve1", "running"), (200, "pve1", "running"), (101, "pve2", "stopped"),
        (103, "pve2", "stopped"),
    ]  # fmt: skip
    first = seen.guests[0]
    assert (first.name, first.kind, first.tags) == ("vm0", GuestKind.QEMU, ("nixos", "docker"))
    assert first.memory_limit == 2 << 30 and first.disk_limit == 32 << 30
    assert seen.guests[2].kind is GuestKind.LXC
    assert [(n.name, n.online, n.address) for n in seen.nodes] == [("pve1", True, "192.0.2.11"), ("pve2", True, "192.0.2.12")]
    assert {s.name for s in seen.storages} == {"local", "local-lvm"} and all(s.available for s in seen.storages)
    assert seen.quorate and seen.rights.has("/vms/100", "VM.PowerMgmt")


async def test_the_first_snapshot_is_read_ahead_and_the_next_ones_are_fresh(cluster: ProxmoxCluster, pve: Pve) -> None:
    cluster.begin()
    first = await cluster.snapshot()
    pve.add_vm(4711, "new")
    assert first.guest(4711) is None and first.rights.user == (await cluster.snapshot()).rights.user
    assert (await cluster.snapshot()).guest(4711) is not None


async def test_what_the_first_snapshot_met_is_told_and_tried_again(served: Serving) -> None:
    cluster = served.cluster(SystemClock(), secret="wrong")
    cluster.begin()
    with pytest.raises(Refused):
        await cluster.snapshot()
    with pytest.raises(Refused):
        await cluster.snapshot()
    await cluster.close()


async def test_details_of_a_guest(cluster: ProxmoxCluster) -> None:
    guest = await cluster.guest(100)
    assert (await cluster.config(guest))["cores"] == "2"
    assert await cluster.snapshots(guest) == ()
    assert (await cluster.tasks(guest)) == ()
    with pytest.raises(UsageError, match="no guest 999"):
        await cluster.guest(999)


async def test_addresses_by_the_agent_and_without_one(token: ProxmoxCluster, pve: Pve) -> None:
    pve.vm(100).agent = {}
    answered = await token.addresses(await token.guest(100))
    assert answered.agent is True and answered.found == ("192.0.2.10",)
    pve.vm(102).agent = None
    assert (await token.addresses(await token.guest(102))).agent is False
    assert (await token.addresses(await token.guest(101))).found == ()


async def test_a_hung_agent_costs_seconds_and_no_poll(token: ProxmoxCluster, pve: Pve) -> None:
    pve.time_scale = 1.0
    pve.vm(100).agent, pve.vm(100).agent_hangs = {}, True
    guest = await token.guest(100)
    hung = asyncio.ensure_future(token.addresses(guest))
    await token.snapshot()
    assert not hung.done()
    assert (await hung).agent is False


# changing


async def test_every_change_of_a_virtual_machine(cluster: ProxmoxCluster, pve: Pve) -> None:
    assert (await changed(cluster, 101, Verb.START)).exit == "OK"
    assert pve.vm(101).status == "running"
    assert (await changed(cluster, 101, Verb.REBOOT)).ok
    assert (await changed(cluster, 101, Verb.SNAPSHOT, snapshot="before", description="by hand")).ok
    (snapshot,) = await cluster.snapshots(await cluster.guest(101))
    assert (snapshot.name, snapshot.description) == ("before", "by hand")
    assert (await changed(cluster, 101, Verb.SHUTDOWN)).ok
    assert (await changed(cluster, 101, Verb.ROLLBACK, snapshot="before")).ok
    assert (await changed(cluster, 101, Verb.DELETE_SNAPSHOT, snapshot="before")).ok
    assert await cluster.snapshots(await cluster.guest(101)) == ()
    assert (await changed(cluster, 101, Verb.BACKUP, storage="local")).ok
    assert (await changed(cluster, 100, Verb.STOP)).ok
    assert pve.vm(100).status == "stopped"
    kinds = [task.kind for task in await cluster.tasks(await cluster.guest(101))]
    assert {"qmstart", "qmreboot", "qmsnapshot", "qmrollback", "qmdelsnapshot", "vzdump"} <= set(kinds)


async def test_a_container_has_tasks_of_its_own(token: ProxmoxCluster) -> None:
    task = await changed(token, 200, Verb.STOP)
    assert (task.kind, task.exit, task.user) == ("vzstop", "OK", TOKEN_ID)


async def test_a_task_that_fails_says_why_in_its_exit_status(token: ProxmoxCluster, pve: Pve) -> None:
    pve.vm(101).start_error = "no space left on device"
    task = await changed(token, 101, Verb.START)
    assert not task.ok and not task.running
    assert task.exit == "no space left on device"
    assert (await token.task_log(task.upid))[-1] == "TASK ERROR: no space left on device"


async def test_the_log_of_a_running_task_grows(token: ProxmoxCluster, pve: Pve) -> None:
    pve.time_scale = 0.05
    pve.vm(100).shutdown_secs = 5
    upid = await token.change(GuestChange(await token.guest(100), Verb.SHUTDOWN))
    assert (await token.task(upid)).running
    done = await ended(token, upid)
    assert done.ok
    assert (await token.task_log(upid))[-1] == "TASK OK"
    assert await token.task_log(upid, start=99) == ()


async def test_a_lost_answer_is_looked_for_and_never_asked_again(cluster: ProxmoxCluster, pve: Pve) -> None:
    guest = await cluster.guest(101)
    pve.lost_replies = 1
    upid = await cluster.change(GuestChange(guest, Verb.START))
    assert (await ended(cluster, upid)).kind == "qmstart"
    sent = [r for r in pve.requests if r[0] == "POST" and r[1].endswith("/status/start")]
    assert len(sent) == 1


async def test_a_lost_answer_without_a_task_is_unknown(token: ProxmoxCluster, pve: Pve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.adapters.proxmox.cluster.LOOKED_FOR", 0.1)
    guest = await token.guest(101)
    pve.fail("POST", "/status/start", status=500, message="gone")
    pve.lost_replies = 1
    with pytest.raises(OutcomeUnknown, match="nobody knows whether"):
        await token.change(GuestChange(guest, Verb.START))
    assert len([r for r in pve.requests if r[1].endswith("/status/start")]) == 1


# faults


async def refused(cluster: ProxmoxCluster, kind: type[CockpitError]) -> CockpitError:
    with pytest.raises(kind) as error:
        await cluster.snapshot()
    await cluster.close()
    return error.value


@pytest.mark.parametrize("password", [True, False])
async def test_a_wrong_secret(served: Serving, password: bool) -> None:
    error = await refused(served.cluster(SystemClock(), password=password, secret="wrong"), Refused)
    assert "does not let" in error.what and ("password" if password else "token") in error.why
    assert "clusters.home" in error.hint and "wrong" not in f"{error.what}{error.hint}"


async def test_a_secret_that_was_mended_is_read_again(served: Serving) -> None:
    cluster = served.cluster(SystemClock(), secret="wrong")
    with pytest.raises(Refused):
        await cluster.guest(100)
    served.pve.apitokens = {TOKEN_ID: "wrong"}
    assert (await cluster.guest(100)).vmid == 100
    await cluster.close()


async def test_an_expired_ticket_is_renewed_even_before_a_change(served: Serving) -> None:
    cluster = served.cluster(SystemClock(), password=True)
    guest = await cluster.guest(101)
    served.pve.revoke_tickets()
    assert (await cluster.snapshot()).guests
    served.pve.revoke_tickets()
    assert (await ended(cluster, await cluster.change(GuestChange(guest, Verb.START)))).ok
    await cluster.close()


async def test_a_second_factor(served: Serving) -> None:
    served.pve.tfa = True
    error = await refused(served.cluster(SystemClock(), password=True), Refused)
    assert "second factor" in error.what and "API token" in error.hint


async def test_a_missing_right_is_named_and_known_beforehand(served: Serving) -> None:
    pve = served.pve
    pve.users["ada@pve"] = "hunter2"
    pve.grant("ada@pve", "/", "VM.Audit", "Sys.Audit", "Datastore.Audit")
    pve.grant("ada@pve", "/vms/102", "VM.Audit", "VM.PowerMgmt")
    cluster = served.cluster(SystemClock(), password=True, user="ada@pve", secret="hunter2")
    seen = await cluster.snapshot()
    may, may_not = seen.guest(102), seen.guest(100)
    assert may is not None and may_not is not None
    assert seen.rights.lacks(may, Verb.STOP) is None
    assert seen.rights.lacks(may_not, Verb.STOP) == "VM.PowerMgmt on /vms/100"
    with pytest.raises(Refused) as error:
        await cluster.change(GuestChange(may_not, Verb.STOP))
    assert error.value.why == "it lacks VM.PowerMgmt on /vms/100"
    assert "pveum acl modify /vms/100" in error.value.hint
    await cluster.close()


async def test_locks(token: ProxmoxCluster, pve: Pve) -> None:
    guest = await token.guest(100)
    pve.snapshot_lock(100)
    with pytest.raises(Locked, match="locked"):
        await token.change(GuestChange(guest, Verb.STOP))
    assert (await token.guest(100)).lock == "snapshot"


async def test_no_quorum(token: ProxmoxCluster, pve: Pve) -> None:
    guest = await token.guest(100)
    pve.lose_quorum()
    with pytest.raises(OperationFailed, match="no quorum"):
        await token.change(GuestChange(guest, Verb.STOP))
    assert not (await token.snapshot()).quorate


async def test_a_node_that_is_offline(token: ProxmoxCluster, pve: Pve) -> None:
    guest = await token.guest(101)
    pve.set_node_offline("pve2")
    with pytest.raises(Unreachable, match="offline"):
        await token.config(guest)
    seen = await token.snapshot()
    assert [n.name for n in seen.nodes if not n.online] == ["pve2"]
    assert (await token.guest(101)).status == "unknown"


async def test_a_guest_that_was_removed(token: ProxmoxCluster, pve: Pve) -> None:
    guest = await token.guest(101)
    pve.vms.remove(pve.vm(101))
    with pytest.raises(UsageError, match="no guest 101"):
        await token.config(guest)


async def test_a_page_instead_of_an_answer(token: ProxmoxCluster, pve: Pve) -> None:
    pve.fail("GET", "/cluster/resources", status=200, message="<html>login</html>", html=True)
    with pytest.raises(Unreachable, match="does not answer as Proxmox VE"):
        await token.snapshot()
    guest = Guest("home", "pve1", 100, GuestKind.QEMU, "vm0", "running")
    pve.fail("GET", "/config", status=200, message="<html>login</html>", html=True)
    with pytest.raises(Unreachable, match="does not answer as Proxmox VE"):
        await token.config(guest)


async def test_a_redirect_is_not_followed(token: ProxmoxCluster, pve: Pve) -> None:
    pve.fail("GET", "/cluster/resources", status=302, message="elsewhere", html=True)
    with pytest.raises(Unreachable, match="does not answer as Proxmox VE") as error:
        await token.snapshot()
    assert "redirects" in error.value.why


async def test_a_page_instead_of_the_answer_to_a_change_is_looked_into(token: ProxmoxCluster, pve: Pve) -> None:
    guest = await token.guest(101)
    original = pve._answer

    async def answered(request: Any, *rest: Any) -> Any:  # noqa: ANN401
        answer = await original(request, *rest)
        if request.method == "POST":
            answer.body = b"<html>gateway</html>"
        return answer

    pve._answer = answered  # type: ignore[method-assign, assignment]
    assert (await ended(token, await token.change(GuestChange(guest, Verb.START)))).kind == "qmstart"
    assert len([r for r in pve.requests if r[1].endswith("/status/start")]) == 1


async def test_values_that_are_refused_are_named(token: ProxmoxCluster) -> None:
    guest = await token.guest(100)
    with pytest.raises(OperationFailed, match="snapname"):
        await token.change(GuestChange(guest, Verb.SNAPSHOT, snapshot="9 lives"))


@pytest.mark.parametrize("password", [True, False])
async def test_another_certificate_than_the_pinned_one_gets_no_secret(served: Serving, password: bool) -> None:
    other = ":".join(["AB"] * 32)
    error = await refused(served.cluster(SystemClock(), password=password, fingerprint=other), HostKeyMismatch)
    assert served.fingerprint in error.why and other in error.why
    assert served.pve.requests == []


async def test_a_certificate_that_nobody_vouches_for(served: Serving) -> None:
    error = await refused(served.cluster(SystemClock(), fingerprint=None), Unreachable)
    assert "not trusted" in error.what and "fingerprint" in error.hint
    assert served.pve.requests == []


async def test_authorities_of_the_system(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", served.certificate)
    cluster = served.cluster(SystemClock(), fingerprint=None)
    assert (await cluster.snapshot()).guests
    await cluster.close()


async def test_connection_refused_and_the_next_address(served: Serving) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
        error = await refused(served.cluster(SystemClock(), addresses=(dead,)), Unreachable)
        assert "refused" in error.why and dead in error.what
        cluster = served.cluster(SystemClock(), addresses=(dead, served.address))
        assert (await cluster.snapshot()).guests
        assert (await changed(cluster, 101, Verb.START)).ok
        await cluster.close()


async def test_a_silent_address_is_left_for_the_next_one(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.adapters.proxmox.session.READ", 0.3)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(16)  # connections are made, and nothing ever answers
        silent = f"127.0.0.1:{mute.getsockname()[1]}"
        error = await refused(served.cluster(SystemClock(), addresses=(silent,)), Unreachable)
        assert silent in error.what
        cluster = served.cluster(SystemClock(), addresses=(silent, served.address))
        assert (await cluster.snapshot()).guests
        await cluster.close()


async def test_a_read_is_tried_again(cluster: ProxmoxCluster, pve: Pve) -> None:
    await cluster.guest(100)
    pve.cut_gets = 1
    assert (await cluster.guest(100)).vmid == 100


async def test_who_asks_is_in_the_record_of_the_task(served: Serving) -> None:
    cluster = served.cluster(SystemClock(), password=True)
    assert (await changed(cluster, 101, Verb.START)).user == USER
    await cluster.close()
