"""VMs from the keyboard: every action of its room, what it asks, and what the pane shows of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.actions.catalog import guests as room
from cockpit.domain.errors import Unreachable
from cockpit.domain.guests import ClusterSnapshot, GuestTask, Rights, Verb
from cockpit.observe.observation import Observation
from cockpit.tui.panes.vms import VmsPane
from tests.pilot.sample import NOW, sample
from tests.pilot.sample_guests import SampleGuests
from tests.pilot.tools import MIDDLE, SMALL, WIDE, Screen, opened
from tests.unit.fake_hypervisor import FakeHypervisor, guest


def pve(screen: Screen) -> FakeHypervisor:
    return screen.fleet.hypervisor


def pane(screen: Screen) -> VmsPane:
    found = screen.main.pane
    assert isinstance(found, VmsPane)
    return found


async def on(screen: Screen, vmid: int) -> None:
    pane(screen).turn_to(f"home/{vmid}")
    await screen.settle()


async def until_done(screen: Screen) -> None:
    for run in screen.cockpit.runs.list():
        await run.wait()
    await screen.settle()


async def test_the_table_has_nodes_guests_and_storages() -> None:
    async with opened("vms") as screen:
        rows = screen.rows
        words = [line.replace("▌", " ").split() for line in rows[5:24]]
        names = [word[1] for word in words if word and word[0].isdigit()]
        assert names[:3] == ["homelab", "opnsense", "postgres"]
        assert "2 nodes · 14 guests · 3 storages" in screen.text
        assert "94% used" in screen.text and "template" in screen.text
        assert screen.text.count("nfs-bak") >= 1
        await screen.shows("10.20.0.18")
        assert "▲1" in rows[0].split("3 Hosts")[0]


REVERSIBLE = [("T", 105, Verb.SNAPSHOT), ("S", 120, Verb.START), ("b", 105, Verb.BACKUP)]
OUTAGE = [("r", 105, Verb.REBOOT), ("ctrl+x", 105, Verb.SHUTDOWN), ("X", 105, Verb.STOP)]


@pytest.mark.parametrize(("key", "vmid", "verb"), REVERSIBLE)
@pytest.mark.parametrize("armed", [True, False])
async def test_reversible_actions(key: str, vmid: int, verb: Verb, armed: bool) -> None:
    async with opened("vms") as screen:
        await on(screen, vmid)
        if armed:
            await screen.press("W")
        await screen.press(key)
        await screen.settle()
        if not armed:
            assert "y does this once" in screen.text and not pve(screen).changes
            await screen.press("y")
        await until_done(screen)
        assert [(c.verb, c.guest.vmid) for c in pve(screen).changes] == [(verb, vmid)]
        assert screen.rows[-1].startswith(f" ● home/{vmid}: ")


@pytest.mark.parametrize(("key", "vmid", "verb"), OUTAGE)
@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_outages_ask_by_a_dialog(key: str, vmid: int, verb: Verb, size: tuple[int, int]) -> None:
    async with opened("vms", size) as screen:
        await on(screen, vmid)
        await screen.press("W", key)
        await screen.settle()
        assert "OUTAGE" in screen.text and "gitea" in screen.text and not pve(screen).changes
        await screen.press("enter")
        await screen.settle()
        assert not pve(screen).changes
        await screen.press(key)
        await screen.settle()
        await screen.press("y")
        await until_done(screen)
        assert [(c.verb, c.guest.vmid) for c in pve(screen).changes] == [(verb, vmid)]


@pytest.mark.parametrize(("key", "verb", "typed"), [("b", Verb.ROLLBACK, "minio"), ("D", Verb.DELETE_SNAPSHOT, "weekly")])
async def test_losing_data_wants_the_name_typed(key: str, verb: Verb, typed: str) -> None:
    async with opened("vms") as screen:
        await on(screen, 108)
        await screen.press("t", key)
        await screen.settle()
        assert "DATA LOSS" in screen.text and "weekly" in screen.text
        await screen.press("y", "enter")
        await screen.settle()
        assert not pve(screen).changes
        await screen.press("backspace", *typed, "enter")
        await until_done(screen)
        assert [(c.verb, c.snapshot) for c in pve(screen).changes] == [(verb, "weekly")]


async def test_every_action_of_the_room_does_something_here() -> None:
    async with opened("vms") as screen:
        known = {**screen.main.conductor.handlers(), **pane(screen).handlers()}
        assert {a.id for a in room.ACTIONS} <= set(known)


async def test_marked_guests_are_acted_on_together() -> None:
    async with opened("vms") as screen:
        await on(screen, 104)
        await screen.press("space", "space")
        assert "2 marked" in screen.text
        await screen.press("ctrl+x")
        await screen.settle()
        assert "Shut down 2 guests" in screen.text and "104 postgres" in screen.text and "105 gitea" in screen.text
        await screen.press("y")
        await until_done(screen)
        assert sorted(c.guest.vmid for c in pve(screen).changes) == [104, 105]


@pytest.mark.parametrize(
    ("vmid", "key", "reason"),
    [
        (100, "S", "it is running"),
        (120, "X", "it is stopped"),
        (106, "r", "it is locked (backup)"),
        (900, "S", "it is a template"),
    ],
)
async def test_what_does_not_fit_says_why(vmid: int, key: str, reason: str) -> None:
    async with opened("vms") as screen:
        await on(screen, vmid)
        await screen.press("W", key)
        assert reason in screen.rows[-1]
        assert not screen.cockpit.runs.list()


async def test_a_viewer_is_told_which_right_is_missing() -> None:
    async with opened("vms") as screen:
        pve(screen).rights = Rights("eve@pve!view", {"/": {"VM.Audit": True}})
        await screen.fleet.guests.clusters["home"].refresh()
        await on(screen, 105)
        await screen.press("X")
        assert "eve@pve!view lacks VM.PowerMgmt on /vms/105" in screen.rows[-1]


async def test_a_task_that_fails_is_told_with_its_reason() -> None:
    async with opened("vms") as screen:
        pve(screen).exits[Verb.START] = "no space left on device"
        await on(screen, 120)
        await screen.press("W", "S")
        await until_done(screen)
        assert "✕" in screen.rows[-1] and "no space left on device" in screen.rows[-1]


async def test_tabs_snapshots_tasks_config() -> None:
    async with opened("vms") as screen:
        await on(screen, 108)
        assert "Snapshots 2" in screen.text and "newest weekly" in screen.text
        await screen.press("right_square_bracket")
        await screen.settle()
        assert "before-upgrade" in screen.text and "minio 2025-11" in screen.text
        await screen.press("l")
        await screen.settle()
        assert "job errors" in screen.text and "qmconfig" in screen.text
        await screen.press("j", "j", "j")
        await screen.settle()
        assert "creating vzdump archive" in screen.text
        await screen.press("escape", "d")
        await screen.settle()
        assert "bridge=vmbr0" in screen.text
        await screen.press("q")
        assert screen.main.focused is pane(screen).table


async def test_the_log_of_a_running_task_grows_on_the_screen() -> None:
    async with opened("vms") as screen:
        await on(screen, 106)
        assert "live from pve1" in screen.text and "38% (14.1 GiB" in screen.text
        upid = "UPID:pve1:0001:0:1:vzdump:106:root@pam:"
        pve(screen).logs[upid] = (*pve(screen).logs[upid], "INFO:  51% (18.9 GiB of 37.0 GiB) in 2m 40s")
        await screen.pilot.pause(1.2)
        await screen.pilot.pause()
        assert "51% (18.9 GiB" in screen.text


async def test_enter_on_a_node_folds_it() -> None:
    async with opened("vms") as screen:
        await screen.press("g", "g", "enter")
        assert "homelab" not in screen.text.replace("nixos", "") or "100" not in screen.text
        assert "pve2" in screen.text and "▸" in screen.text
        await screen.press("enter")
        assert "opnsense" in screen.text


async def test_a_filter_keeps_what_matches_by_tag() -> None:
    async with opened("vms") as screen:
        await screen.press("slash", *"docker", "enter")
        await screen.settle()
        assert "homelab" in screen.text and "edge" in screen.text and "opnsense" not in screen.text


async def test_a_silent_cluster_keeps_its_last_values_with_age_and_countdown() -> None:
    async with opened("vms") as screen:
        screen.cockpit.clock.time += 125  # type: ignore[attr-defined]
        pve(screen).errors["snapshot"] = [Unreachable("home at pve1 cannot be reached", "connection refused", "is it up?")] * 9
        await screen.fleet.guests.clusters["home"].refresh()
        screen.main.tick()
        await screen.settle()
        assert "◌ home 2m old, again in" in screen.text
        assert "minio" in screen.text and "◌ running" in screen.text
        assert "connection refused" in screen.text


async def test_a_cluster_that_never_answered_says_why() -> None:
    cockpit = sample()
    observer = cockpit.fleet.guests.clusters["home"]
    cockpit.fleet.hypervisor.errors["snapshot"] = [Unreachable("home cannot be reached", "no route to it")] * 99  # type: ignore[attr-defined]
    async with opened("vms", cockpit=cockpit) as screen:
        assert observer.latest.value is None
        assert "home cannot be reached: no route to it" in screen.text
        await screen.press("S", "enter", "t")
        assert not screen.cockpit.runs.list()


async def test_no_cluster_is_one_calm_sentence() -> None:
    cockpit = sample()
    cockpit.fleet.guests = SampleGuests({}, cockpit.clock)
    async with opened("vms", cockpit=cockpit) as screen:
        assert "`clusters` in cockpit.yaml" in screen.text
        await screen.press("S", "T", "enter", "t", "m")
        assert not screen.cockpit.runs.list()


async def test_what_broke_waits_for_the_next_sorting_and_the_cursor_stays() -> None:
    async with opened("vms") as screen:
        await on(screen, 104)
        pve(screen).guests[103] = replace(pve(screen).guests[103], ha="error")
        await screen.fleet.guests.clusters["home"].refresh()
        await screen.settle()
        table = pane(screen).table
        assert table.key == "home/104" and table.in_view.index("home/101") < table.in_view.index("home/103")
        screen.cockpit.clock.time += 30  # type: ignore[attr-defined]
        screen.main.tick()
        await screen.settle()
        assert table.key == "home/104" and table.in_view.index("home/103") < table.in_view.index("home/101")


async def test_names_of_guests_are_harmless() -> None:
    async with opened("vms") as screen:
        pve(screen).guests[199] = guest(199, "evil\x1b]0;x\x07[red]name", tags=("\u202eabc",))
        await screen.fleet.guests.clusters["home"].refresh()
        await screen.settle()
        assert "\x1b" not in screen.text and "\u202e" not in screen.text and "[red]name" in screen.text


async def test_a_hidden_pane_asks_for_nothing() -> None:
    async with opened("vms") as screen:
        await on(screen, 106)  # its backup runs, so its log is followed
        vms = pane(screen)
        followed = [w for w in vms.workers if w.group == "log" and w.node is vms]
        assert any(not w.is_finished for w in followed)
        await screen.press("3")
        await screen.settle()
        looks = pve(screen).looks
        await screen.fleet.guests.clusters["home"].refresh()
        await screen.settle()
        assert pve(screen).looks == looks
        assert all(w.is_finished for w in followed)


async def test_thousands_of_guests_reuse_their_rows() -> None:
    async with opened("vms") as screen:
        found = pane(screen).list
        before = {entry.key: entry for entry in found.read()}
        observer = screen.fleet.guests.clusters["home"]
        seen = observer.latest.value
        assert isinstance(seen, ClusterSnapshot)
        changed = tuple(replace(g, cpu=0.99) for g in seen.guests)
        observer.latest = Observation(replace(seen, guests=changed), NOW)
        after = {entry.key: entry for entry in found.read()}
        assert all(after[key] is entry for key, entry in before.items())
        cells = after["home/108"].cells
        assert cells is not None and any("99%" in text for line in cells() for text, _ in line)


async def test_running_tasks_of_the_cluster_stand_first() -> None:
    async with opened("vms") as screen:
        await on(screen, 108)
        tasks = pane(screen).below.recent()
        assert all(isinstance(task, GuestTask) for task in tasks) and [task.running for task in tasks] == [
            True,
            False,
            False,
            False,
        ]
