"""What is refused, what is asked, what is re-read and what PVE's task decides, for everything that changes guests."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cockpit.actions.catalog import BY_ID, GUESTS, SNAPSHOTS, Context, possible
from cockpit.actions.guests import GuestActions
from cockpit.actions.operations import Operations
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.domain.errors import Exit, OutcomeUnknown, Unreachable
from cockpit.domain.events import Outcome, Output, Progress, Waiting
from cockpit.domain.guests import Guest, Rights, Snapshot, Storage, Verb
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier
from cockpit.domain.settings import HostSettings, Settings
from tests.unit.fake_clock import START, FakeClock
from tests.unit.fake_hypervisor import GIB, FakeHypervisor, guest
from tests.unit.fakes import FakeAudit


class Bench:
    def __init__(self, *guests: Guest, protected: bool = False, hosts: dict[str, HostSettings] | None = None) -> None:
        self.clock = FakeClock()
        self.pve = FakeHypervisor(*guests, protected=protected)
        self.audit = FakeAudit()
        self.gate = Gate(self.clock)
        settings = Settings(root=Path("/"), hosts=hosts or {}, clusters={"home": self.pve.settings})
        operations = Operations(self.clock, self.audit, self.gate, "ada", "desk")
        self.actions = GuestActions({"home": self.pve}, settings, operations, self.clock, "ada")
        self.run = Run("run1", self.clock)
        self.asked: list[tuple[Operation, Tier]] = []
        self.answer = True

    async def ask(self, operation: Operation, tier: Tier) -> bool:
        self.asked.append((operation, tier))
        return self.answer

    async def go(self, verb: Verb, *refs: str, snapshot: str = "", storage: str = "") -> Outcome:
        self.run = Run(f"run{len(self.asked)}", self.clock)
        return await self.actions.execute(verb, refs, self.run, self.ask, snapshot=snapshot, storage=storage)

    @property
    def operation(self) -> Operation:
        return self.asked[-1][0]


KEPT = Snapshot("before", START - 3 * 86400, "by hand")


@pytest.mark.parametrize(
    ("verb", "status", "tier", "text"),
    [
        (Verb.START, "stopped", Tier.REVERSIBLE, "started"),
        (Verb.SHUTDOWN, "running", Tier.OUTAGE, "shut down"),
        (Verb.STOP, "running", Tier.OUTAGE, "stopped"),
        (Verb.REBOOT, "running", Tier.OUTAGE, "rebooted"),
        (Verb.SNAPSHOT, "running", Tier.REVERSIBLE, "taken"),
        (Verb.ROLLBACK, "running", Tier.DATA_LOSS, "rolled back to before"),
        (Verb.DELETE_SNAPSHOT, "running", Tier.DATA_LOSS, "before deleted"),
        (Verb.BACKUP, "running", Tier.REVERSIBLE, "backed up to local"),
    ],
)
async def test_every_verb_asks_for_its_tier_and_says_what_it_did(verb: Verb, status: str, tier: Tier, text: str) -> None:
    bench = Bench(guest(101, "web", status))
    bench.pve.held[101] = (KEPT,)
    named = "before" if verb in (Verb.ROLLBACK, Verb.DELETE_SNAPSHOT) else ""
    outcome = await bench.go(verb, "home/101", snapshot=named)
    assert outcome.exit is Exit.DONE, outcome
    assert [tier for _, tier in bench.asked] == [tier]
    assert text in outcome.hosts[0].text
    (change,) = bench.pve.changes
    assert (change.verb, change.guest.vmid) == (verb, 101)
    assert bench.operation.action in BY_ID and BY_ID[bench.operation.action].tier is tier
    (record,) = bench.audit.records()
    assert record["commands"] == list(bench.operation.commands) != []


@pytest.mark.parametrize(
    ("found", "verb", "why"),
    [
        (guest(101, "web"), Verb.START, "it is running"),
        (guest(101, "web", "stopped"), Verb.SHUTDOWN, "it is stopped"),
        (guest(101, "web", lock="backup"), Verb.STOP, "it is locked (backup)"),
        (guest(101, "web", "stopped", template=True), Verb.START, "it is a template"),
        (guest(101, "web", "unknown"), Verb.REBOOT, "node pve1 is offline"),
    ],
)
async def test_what_does_not_fit_is_refused_and_greyed_alike(found: Guest, verb: Verb, why: str) -> None:
    bench = Bench(found)
    outcome = await bench.go(verb, "home/101")
    assert outcome.exit in (Exit.REFUSED, Exit.LOCKED)
    assert why in outcome.hosts[0].text
    assert bench.pve.changes == [] and bench.asked == []
    entry = next(a for a in BY_ID.values() if a.id == {"shut down": "guest.shutdown"}.get(verb.value, f"guest.{verb.value}"))
    assert possible(entry, Context(GUESTS, guests=(found,))) == why


async def test_a_missing_right_is_named_before_anything_is_asked() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.rights = Rights("eve@pve!view", {"/": {"VM.Audit": True}})
    outcome = await bench.go(Verb.STOP, "home/101")
    assert outcome.exit is Exit.REFUSED and outcome.hosts[0].why == "it lacks VM.PowerMgmt on /vms/101"
    context = Context(GUESTS, guests=(guest(101),), rights=bench.pve.rights)
    assert possible(BY_ID["guest.stop"], context) == "eve@pve!view lacks VM.PowerMgmt on /vms/101"
    assert possible(BY_ID["snapshot.delete"], Context(SNAPSHOTS, guests=(guest(101),))) == "no snapshot is selected"


async def test_of_marked_ones_those_that_do_not_fit_are_left_out_and_named() -> None:
    bench = Bench(guest(101, "web", "stopped"), guest(102, "db"), guest(103, "cache", "stopped"))
    outcome = await bench.go(Verb.START, "home/101", "home/102", "home/103")
    assert [h.host for h in outcome.hosts] == ["home/101", "home/103"]
    assert [(i.what, i.why) for i in bench.operation.afterwards] == [("102 db", "is left out: 102 db: it is running")]
    assert bench.operation.title == "Start 2 guests"


async def test_a_task_that_fails_is_the_outcome() -> None:
    bench = Bench(guest(101, "web", "stopped"))
    bench.pve.exits[Verb.START] = "no space left on device"
    outcome = await bench.go(Verb.START, "home/101")
    assert outcome.exit is Exit.FAILED
    assert outcome.hosts[0].why == "no space left on device"


async def test_warnings_are_a_success_that_says_so() -> None:
    bench = Bench(guest(101, "web", "stopped"))
    bench.pve.exits[Verb.START] = "WARNINGS: 2"
    outcome = await bench.go(Verb.START, "home/101")
    assert outcome.exit is Exit.DONE and "warnings: 2" in outcome.hosts[0].text


async def test_the_log_of_the_task_is_live_in_the_run() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.running_for = 3
    upid = "UPID:pve1:00000001:0:0:backup:101:root@pam!cockpit:"
    bench.pve.logs[upid] = ("INFO: starting", "INFO:  38% (14.1 GiB of 37.0 GiB)")
    assert (await bench.go(Verb.BACKUP, "home/101")).exit is Exit.DONE
    events = [event async for event in bench.run.events()]
    assert [e.text for e in events if isinstance(e, Output)] == ["INFO: starting", "INFO:  38% (14.1 GiB of 37.0 GiB)"]
    assert [e.done for e in events if isinstance(e, Progress)] == [0.38]


async def test_a_cluster_that_is_silent_for_a_while_changes_nothing_of_the_outcome() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.running_for = 2
    bench.pve.errors["task"] = [Unreachable("home does not answer")] * 5
    assert (await bench.go(Verb.STOP, "home/101")).exit is Exit.DONE
    assert any([isinstance(event, Waiting) async for event in bench.run.events()])


async def test_a_cluster_that_stays_silent_leaves_the_outcome_unknown() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.errors["task"] = [Unreachable("home does not answer")] * 1000
    outcome = await bench.go(Verb.STOP, "home/101")
    assert outcome.exit is Exit.UNKNOWN and "UPID:" in outcome.hosts[0].hint
    assert len(bench.pve.changes) == 1


async def test_a_lost_answer_is_not_asked_again() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.errors["change"] = [OutcomeUnknown("nobody knows")]
    assert (await bench.go(Verb.STOP, "home/101")).exit is Exit.UNKNOWN
    assert bench.pve.changes == []


async def test_what_changed_while_the_dialog_was_open_is_seen() -> None:
    bench = Bench(guest(101, "web"))

    async def ask(operation: Operation, tier: Tier) -> bool:
        bench.pve.guests[101] = replace(bench.pve.guests[101], name="other")
        return True

    outcome = await bench.actions.execute(Verb.STOP, ["home/101"], bench.run, ask)
    assert outcome.exit is Exit.REFUSED and "another guest now" in outcome.hosts[0].text
    assert bench.pve.changes == []


async def test_a_snapshot_that_was_made_anew_meanwhile_is_not_rolled_back_to() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.held[101] = (KEPT,)

    async def ask(operation: Operation, tier: Tier) -> bool:
        bench.pve.held[101] = (replace(KEPT, taken=START),)
        return True

    outcome = await bench.actions.execute(Verb.ROLLBACK, ["home/101"], bench.run, ask, snapshot="before")
    assert outcome.exit is Exit.REFUSED and bench.pve.changes == []


async def test_a_rollback_says_what_is_lost_and_wants_the_name() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.held[101] = (KEPT,)
    bench.answer = False
    outcome = await bench.go(Verb.ROLLBACK, "home/101", snapshot="before")
    assert outcome.exit is Exit.REFUSED and bench.pve.changes == []
    operation = bench.operation
    assert operation.typed == "web"
    assert [i.why for i in operation.lost] == ["everything on its disks since before of 3d ago"]
    assert "is stopped" in operation.afterwards[0].why
    assert bench.audit.records() == []


@pytest.mark.parametrize("how", ["cluster", "host"])
async def test_protection_raises_the_tier(how: str) -> None:
    hosts = {"alpha": HostSettings("alpha", "a", guest="home/101", protected=how == "host", projects=("core",))}
    bench = Bench(guest(101, "web"), protected=how == "cluster", hosts=hosts)
    await bench.go(Verb.STOP, "home/101")
    assert [tier for _, tier in bench.asked] == [Tier.DATA_LOSS]
    assert ("alpha", "is the host in it, with all its services: core") in [(i.what, i.why) for i in bench.operation.interrupts]


async def test_a_backup_goes_where_there_is_room_and_the_right_to() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.storages = (
        Storage("home", "pve1", "small", "dir", True, 90 * GIB, 100 * GIB, False, ("backup",)),
        Storage("home", "pve1", "big", "nfs", True, 1 * GIB, 900 * GIB, True, ("backup",)),
        Storage("home", "pve1", "images", "zfs", True, 0, 9000 * GIB, False, ("images",)),
    )
    await bench.go(Verb.BACKUP, "home/101")
    assert bench.pve.changes[0].storage == "big"
    bench.pve.rights = Rights("ada", {"/": {"VM.Backup": True}, "/storage/small": {"Datastore.AllocateSpace": True}})
    await bench.go(Verb.BACKUP, "home/101")
    assert bench.pve.changes[1].storage == "small"
    bench.pve.storages = ()
    assert (await bench.go(Verb.BACKUP, "home/101")).exit is Exit.REFUSED


async def test_no_quorum_is_said_before_anything_is_asked() -> None:
    bench = Bench(guest(101, "web"))
    bench.pve.quorate = False
    outcome = await bench.go(Verb.STOP, "home/101")
    assert "no quorum" in outcome.hosts[0].text and bench.asked == []


@pytest.mark.parametrize(
    ("ref", "what"), [("far/101", "no cluster 'far'"), ("home/web", "no guest"), ("home/999", "no guest 999")]
)
async def test_a_name_that_is_none(ref: str, what: str) -> None:
    bench = Bench(guest(101, "web"))
    outcome = await bench.go(Verb.STOP, ref)
    assert outcome.exit is Exit.USAGE and what in outcome.hosts[0].text
