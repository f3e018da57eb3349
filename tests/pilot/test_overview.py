"""Overview by hand: problems, where they lead, what changed."""

from __future__ import annotations

from msgspec.structs import replace

from cockpit.domain.errors import Unreachable
from tests.pilot.tools import MIDDLE, Screen, opened


def problems(screen: Screen) -> list[str]:
    """The first line of each, in order."""
    return [row for row in screen.rows if any(row.strip(" ▌").startswith(c) for c in "✕▲‖≠◐◌")]


async def test_problems_worst_first_and_where_they_lead() -> None:
    async with opened("overview") as screen:
        assert "✕ 3 broken" in screen.text and "last healthy 4d ago" in screen.text
        assert "restart loop: 6 restarts, exit 137, out of memory" in screen.text
        assert "held at generation 87, 3 behind" in screen.text
        assert "nfs-bak  storage  94% full" in screen.text and "dns-token.txt  secret  plain text" in screen.text
        await screen.press("j", "J")
        await screen.settle()
        assert screen.main.active == "hosts"
        assert "unable to create lock" in screen.text


async def test_a_row_takes_the_keys_of_its_target() -> None:
    async with opened("overview") as screen:
        await screen.press("l")
        await screen.settle()
        assert screen.main.active == "services"
    async with opened("overview") as screen:
        await screen.press("j", "j", "enter")
        await screen.settle()
        assert screen.main.active == "files" and "dns-token.txt" in screen.text


async def test_the_cursor_is_on_the_worst_until_somebody_moves_it() -> None:
    async with opened("overview") as screen:
        pane = screen.main.pane
        assert pane is not None and pane.target() == "paperless/worker"
        await screen.press("j", "j", "j")
        await screen.settle()
        kept = pane.target()
        screen.fleet.silence("edge")
        await screen.fleet.hosts["edge"].refresh()
        await screen.settle()
        assert pane.target() == kept


async def test_layers_say_how_they_are_and_what_drifts() -> None:
    async with opened("overview") as screen:
        for name, words in {
            "VMs": "11 running", "Hosts": "2 hosts, 1 unit failed", "Services": "15 services, 2 not well",
            "Secrets": "encrypted, 1 plain", "Code": "≠ 3 changed, 1 to push",
        }.items():  # fmt: skip
            assert any(row.strip().startswith(name) and words in row for row in screen.rows), name
        assert "pve1" in screen.text and "Machines" in screen.text and "Holds" in screen.text


async def test_what_changed_opens_from_everywhere_and_esc_leads_back() -> None:
    async with opened("hosts") as screen:
        await screen.press("w")
        await screen.settle()
        assert screen.main.active == "overview" and "What changed" in screen.text and "Problems" not in screen.text
        assert any("release" in row and "homelab" in row for row in screen.rows)
        assert any("VM task" in row for row in screen.rows)
        await screen.press("escape")
        await screen.settle()
        assert "Problems" in screen.text and "Since it was last healthy" in screen.text


async def test_a_silent_system_is_one_grey_line_and_comes_back() -> None:
    async with opened("overview") as screen:
        hypervisor = screen.fleet.guests.clusters["home"]
        good = hypervisor._read

        async def gone() -> object:
            raise Unreachable("home does not answer", "timed out after 5s")

        hypervisor._read = gone  # type: ignore[assignment]
        await hypervisor.refresh()
        await screen.settle()
        row = next(row for row in screen.rows if "home does not answer" in row)
        assert "its last data is shown in grey" in row and "◌ 1 stale" in screen.text
        assert "tries again in" in screen.text and "paperless/worker" in screen.text
        hypervisor._read = good
        await hypervisor.refresh()
        await screen.settle()
        assert "home does not answer" not in screen.text


async def test_a_host_that_is_gone_is_one_problem_not_two() -> None:
    async with opened("overview") as screen:
        screen.fleet.silence("edge")
        await screen.fleet.hosts["edge"].refresh()
        await screen.fleet.services["edge"].refresh()
        await screen.settle()
        assert sum("no connection to edge" in row for row in problems(screen)) == 1


async def test_a_node_that_is_off_and_a_failed_task_are_problems() -> None:
    async with opened("overview") as screen:
        observer = screen.fleet.guests.clusters["home"]
        seen = observer.latest.value
        assert seen is not None
        nodes = tuple(replace(node, online=node.name != "pve2") for node in seen.nodes)

        async def read() -> object:
            return replace(seen, nodes=nodes)

        observer._read = read  # type: ignore[assignment]
        await observer.refresh()
        await screen.settle()
        assert any("pve2" in row and "offline" in row for row in problems(screen))
        assert "guests do is unknown" in screen.text


async def test_at_80_only_the_selected_problem_says_its_cause_and_a_click_finds_its_row() -> None:
    async with opened("overview", size=MIDDLE) as screen:
        assert "✕ 3 broken" in screen.rows[2] and "last healthy 4d ago" in screen.rows[2]
        assert "511M of 512M used" in screen.text and "commits are refused" not in screen.text
        await screen.pilot.click("#problems", offset=(10, 5))  # the heading, three lines of the first, then the third's
        await screen.settle()
        pane = screen.main.pane
        assert pane is not None and pane.target().endswith("dns-token.txt")
        assert "commits are refused" in screen.text and "512M used" not in screen.text
        await screen.pilot.click("#problems", offset=(10, 1))
        await screen.settle()
        assert pane.target() == "paperless/worker"


async def test_a_service_that_broke_after_a_release_names_it_and_the_way_back() -> None:
    async with opened("overview") as screen:
        row = next(row for row in screen.rows if "after release 5vk3r218" in row)
        assert "l logs" in row and "w what changed" in row and "< previous▲" in row
        await screen.press("less_than_sign")
        await screen.settle()
        assert "OUTAGE" in screen.text and not screen.rollback.applied


async def test_zoom_takes_the_whole_pane_and_gives_it_back() -> None:
    async with opened("overview") as screen:
        await screen.press("plus")
        await screen.settle()
        assert "Machines" not in screen.text and "Layers" not in screen.text and "paperless/worker" in screen.text
        await screen.press("underscore")
        await screen.settle()
        assert "Machines" in screen.text and "Layers" in screen.text
