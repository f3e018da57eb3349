"""Files from the keyboard: the tree, the editor, secrets, and everything that git does."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest

from cockpit.actions.bundle import Cockpit
from cockpit.domain.files import Content
from cockpit.tui.panes.files import FilesPane
from tests.pilot.sample import sample
from tests.pilot.sample_files import SampleSecrets, SampleWorkTree, sealed
from tests.pilot.sample_files import opened as unsealed
from tests.pilot.tools import MIDDLE, SMALL, WIDE, Screen, opened

SECRET = "secrets/homelab/paperless.yaml"
VALUE = "8Qv-m2rT-x0Lw-Zc7e"
COMPOSE = "compose/paperless/compose.yaml"


def pane(screen: Screen) -> FilesPane:
    return cast(FilesPane, screen.main.panes["files"])


def tree(screen: Screen) -> SampleWorkTree:
    return cast(SampleWorkTree, screen.cockpit.work_tree)


def cursor(screen: Screen) -> tuple[int, int]:
    document = pane(screen).editor.document
    assert document is not None
    return document.cursor


async def at(screen: Screen, path: str) -> None:
    pane(screen).turn_to(path)
    await screen.settle()


async def armed(screen: Screen) -> None:
    screen.cockpit.gate.arm()
    await screen.pilot.pause()


async def test_the_tree_shows_git_and_encryption() -> None:
    async with opened("files") as screen:
        rows = {row.split("│")[0].strip() for row in screen.rows}
        assert any(row.startswith("M") and "paperless.yaml" in row and row.endswith("◆") for row in rows)
        assert any(row.startswith("?") and "dns-token.txt" in row and row.endswith("◇ plain") for row in rows)
        assert "commit is blocked" in screen.text
        assert "main ↑1" in screen.rows[3]


async def test_a_file_that_is_read_late_does_not_show_under_another_row() -> None:
    async with opened("files") as screen:
        arrives = asyncio.Event()
        read = tree(screen).read

        async def late(path: str, most: int) -> Content:
            await arrives.wait()
            return await read(path, most)

        tree(screen).read = late  # type: ignore[method-assign]
        await at(screen, "nix/hosts/homelab.nix")
        await at(screen, "secrets/edge/")
        arrives.set()
        await screen.settle()
        assert "secrets/edge/ ──" in screen.text and "networking.hostName" not in screen.text


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
async def test_a_secret_is_masked_until_it_is_asked_for_and_hides_again(size: tuple[int, int]) -> None:
    async with opened("files", size) as screen:
        await at(screen, SECRET)
        assert VALUE not in screen.text
        await screen.press("enter")
        await screen.settle()
        assert "decrypted in memory, encrypted on save" in screen.text
        assert "db-password: ••••••••••••" in screen.text
        assert "admin-user_unencrypted: ada" in screen.text
        assert VALUE not in screen.text
        await screen.press("down", "down", "down", "ctrl+t")
        assert f"db-password: {VALUE}" in screen.text
        assert screen.text.count("••••") > 4
        screen.cockpit.clock.time += 11  # type: ignore[attr-defined]
        screen.main.tick()
        await screen.pilot.pause()
        assert VALUE not in screen.text


async def test_a_secret_edited_and_saved_is_encrypted() -> None:
    async with opened("files") as screen:
        await at(screen, SECRET)
        await screen.press("enter", "down", "down", "down", "end", "n", "e", "w")
        assert f"db-password: {VALUE}new" in screen.text
        assert "not saved" in screen.text
        assert "When saved" in screen.text
        await screen.press("ctrl+s")
        assert "y does this once" in screen.rows[-1]
        await screen.press("y")
        await screen.settle()
        data = tree(screen).files[SECRET]
        assert f"{VALUE}new" in unsealed(data)
        assert f"{VALUE}new".encode() not in data
        assert "not saved" not in screen.text
        assert "encrypted and saved" in screen.rows[-1]


async def test_a_failed_save_keeps_the_text_and_the_disk() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await at(screen, SECRET)
        await screen.press("enter", "down", "down", "down", "end", "n", "e", "w")
        before = tree(screen).files[SECRET]
        cast(SampleSecrets, screen.cockpit.files._secrets).broken = True
        await screen.press("ctrl+s")
        await screen.settle()
        assert "sops is not installed" in screen.rows[-1]
        assert tree(screen).files[SECRET] == before
        assert "not saved" in screen.text
        cast(SampleSecrets, screen.cockpit.files._secrets).broken = False
        tree(screen).files[SECRET] = sealed("theirs: 1\n")
        await screen.press("ctrl+s")
        await screen.settle()
        assert "changed on the disk" in screen.rows[-1]
        assert tree(screen).files[SECRET] == sealed("theirs: 1\n")
        assert f"{VALUE}new" in screen.text


async def test_in_the_editor_every_other_key_types() -> None:
    async with opened("files") as screen:
        await at(screen, "README.md")
        await screen.press("enter")
        await screen.settle()
        await screen.press(*"q1jW:", "question_mark", "slash", "space", "greater_than_sign", "m")
        assert "q1jW:?/ >m# Homelab" in screen.text
        assert screen.main.active == "files"
        assert "the editor has focus: every other key types" in screen.rows[-1]
        assert " m menu" not in screen.rows[-1]
        await screen.press("ctrl+z", "ctrl+z")
        assert "q1jW" not in screen.text
        await screen.press("ctrl+y")
        assert "q1jW" in screen.text
        await screen.press("ctrl+p")
        assert "Commit" in screen.text or "›" in screen.text
        await screen.press("escape", "ctrl+o")
        assert "whole file" in screen.text


async def test_find_in_the_editor() -> None:
    async with opened("files") as screen:
        await at(screen, "nix/hosts/homelab.nix")
        await screen.press("enter", "ctrl+f", *"enable")
        assert cursor(screen) == (4, 19)
        await screen.press("enter", "escape")
        assert pane(screen).editor.finding is None
        assert pane(screen).focused is pane(screen).editor


@pytest.mark.parametrize(("key", "saved", "left"), [("s", True, True), ("x", False, True), ("escape", False, False)])
async def test_leaving_with_changes_asks(key: str, saved: bool, left: bool) -> None:
    async with opened("files") as screen:
        await armed(screen)
        await at(screen, "README.md")
        await screen.press("enter", "Z", "escape")
        assert "is not saved" in screen.text
        await screen.press(key)
        await screen.settle()
        assert (tree(screen).files["README.md"][:1] == b"Z") is saved
        assert (pane(screen).focused is pane(screen).listing) is left


async def test_a_secret_leaves_the_memory_with_the_editor() -> None:
    async with opened("files") as screen:
        await at(screen, SECRET)
        await screen.press("enter", "escape")
        await screen.settle()
        assert pane(screen).editor.document is None
        assert pane(screen).file is None
        await screen.press("enter")
        await screen.settle()
        screen.main.call_later(screen.main.show_pane, "hosts")
        await screen.settle()
        assert pane(screen).editor.document is None


async def test_cockpit_is_not_left_with_changes_unasked() -> None:
    async with opened("files") as screen:
        await at(screen, "README.md")
        await screen.press("enter", "Z", "ctrl+q")
        assert "once more leaves without it" in screen.rows[-1]
        assert screen.app._exit is False
        await screen.press("ctrl+q")
        await screen.settle()
        assert screen.app._exit is True


async def test_stage_one_and_all() -> None:
    async with opened("files") as screen:
        await at(screen, SECRET)
        await screen.press("space")
        assert "y does this once" in screen.rows[-1]
        await screen.press("y")
        await screen.settle()
        assert tree(screen).asked == [f"stage {SECRET}"]
        await armed(screen)
        await screen.press("space")
        await screen.settle()
        assert tree(screen).asked[-1] == f"unstage {SECRET}"
        await screen.press("a")
        await screen.settle()
        assert tree(screen).asked[-1].split() == ["stage", COMPOSE, "secrets/edge/dns-token.txt", SECRET]
        await screen.press("a")
        await screen.settle()
        assert tree(screen).asked[-1].startswith("unstage ")


async def test_commit_with_a_message_in_one_line() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await screen.press("c")
        assert "1 file staged" in screen.text
        assert COMPOSE in screen.text
        await screen.press(*"paperless", "enter")
        await screen.settle()
        assert tree(screen).asked == ['commit "paperless"']
        assert "committed as 5c0ffee" in screen.rows[-1]
        await screen.press("c")
        assert "nothing is staged" in screen.rows[-1]


async def test_a_plain_secret_blocks_the_commit() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await at(screen, "secrets/edge/dns-token.txt")
        await screen.press("space")
        await screen.settle()
        await screen.press("c")
        assert "in plain text" in screen.rows[-1]


async def test_a_plain_secret_is_encrypted_in_its_place() -> None:
    async with opened("files") as screen:
        await at(screen, "secrets/edge/dns-token.txt")
        await screen.press("E", "y")
        await screen.settle()
        assert tree(screen).files["secrets/edge/dns-token.txt"] == sealed("p1ain-token\n")
        assert "◇ plain" not in screen.text
        await screen.press("E")
        assert "not a file in plain text" in screen.rows[-1]


async def test_amend_keeps_the_body() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await screen.press("A")
        await screen.settle()
        assert "paperless: 2.14.0" in screen.text
        await screen.press("exclamation_mark", "enter")
        await screen.settle()
        assert tree(screen).asked == [f"amend {json.dumps('paperless: 2.14.0!' + chr(10) + chr(10) + 'A body.')}"]


async def test_a_push_that_deploys_asks_as_an_outage() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await screen.press("P")
        await screen.settle()
        assert "OUTAGE" in screen.text
        assert "a push to main deploys" in screen.text
        assert "git push origin HEAD:main" in screen.text
        await screen.press("enter")
        await screen.settle()
        assert tree(screen).asked == []
        await screen.press("P")
        await screen.settle()
        await screen.press("y")
        await screen.settle()
        assert tree(screen).asked == ["push origin/main"]


async def test_pull() -> None:
    async with opened("files") as screen:
        await screen.press("p", "y")
        await screen.settle()
        assert tree(screen).asked == ["pull"]
        assert "nothing new" in screen.rows[-1]


async def test_discard_wants_the_name() -> None:
    async with opened("files") as screen:
        await armed(screen)
        await at(screen, COMPOSE)
        await screen.press("d")
        assert "all changes, 3 files" in screen.text
        await screen.press("enter")
        await screen.settle()
        assert "DATA LOSS" in screen.text
        await screen.press("y", "enter")
        await screen.settle()
        assert tree(screen).asked == []
        await screen.press("backspace", *"compose.yaml", "enter")
        await screen.settle()
        assert tree(screen).asked == [f"discard {COMPOSE}"]
        assert "2.13.5" in screen.text
        assert "2.14.0" not in screen.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_diff_is_masked_until_enter(size: tuple[int, int]) -> None:
    async with opened("files", size) as screen:
        await at(screen, SECRET)
        await screen.press("v")
        await screen.settle()
        assert "Against HEAD" in screen.text
        assert "db-password: ••••" in screen.text
        assert "horse" not in screen.text
        await screen.press("enter")
        assert "db-password: old-horse" in screen.text
        assert VALUE in screen.text
        await screen.press("escape")
        await screen.settle()
        assert "old-horse" not in screen.text


async def test_binary_missing_key_and_folders() -> None:
    async with opened("files") as screen:
        await at(screen, "logo.png")
        assert "is binary" in screen.text
        cast(SampleSecrets, screen.cockpit.files._secrets).broken = True
        await at(screen, SECRET)
        await screen.press("enter")
        await screen.settle()
        assert "no key on this machine opens it" in screen.text
        assert "updatekeys" in screen.text
        await at(screen, "compose/")
        await screen.press("enter")
        assert "traefik.yaml" in screen.text
        assert "▸ compose" in screen.text
        await screen.press("e")
        assert "no file is selected" in screen.rows[-1]


async def test_lazygit_only_where_it_is_installed() -> None:
    async with opened("files") as screen:
        await screen.press("ctrl+g")
        assert "lazygit is not installed" in screen.rows[-1]
        tree(screen).program = "/usr/bin/lazygit"
        await screen.press("ctrl+g")
        assert "y does this once" in screen.rows[-1]
        await screen.press("y")
        await screen.settle()
        assert "cannot be handed over" in screen.rows[-1]


async def test_hostile_names_and_contents_are_harmless() -> None:
    cockpit: Cockpit = sample()
    files = cast(SampleWorkTree, cockpit.work_tree).files
    name = "a\x1b]52;c;eA==\x07[/foo]\u202e.md"
    files[name] = b"\x1b]0;title\x07 [bold]x[/bold] \xc2\x9b31m\r\n\xe2\x80\xaeabc\n"
    async with opened("files", cockpit=cockpit) as screen:
        await at(screen, name)
        await screen.press("enter", "down", "x", "ctrl+o", "escape")
        await screen.settle()
        shown = "".join(segment.text for strip in screen.app.screen._compositor.render_strips() for segment in strip)
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(shown)
        assert "[bold]x[/bold]" in shown


async def test_the_mouse_opens_and_places_the_cursor() -> None:
    async with opened("files") as screen:
        row = next(i for i, line in enumerate(screen.rows) if "README.md" in line)
        await screen.pilot.click(offset=(8, row))
        await screen.settle()
        await screen.pilot.click(offset=(8, row))
        await screen.settle()
        assert pane(screen).focused is pane(screen).editor
        line = next(i for i, text in enumerate(screen.rows) if "Everything" in text)
        await screen.pilot.click(offset=(screen.rows[line].index("Everything") + 5, line))
        assert cursor(screen) == (2, 5)


async def test_zoom_filter_and_fold() -> None:
    async with opened("files") as screen:
        await screen.press("slash", *"traefik", "enter")
        assert pane(screen).listing.count == 2
        await screen.press("escape", "plus")
        await screen.settle()
        assert "│" not in screen.text
        await screen.press("underscore")
        await screen.settle()
        assert "│" in screen.text
        await at(screen, COMPOSE)
        await screen.press("h")
        assert pane(screen).listing.key == "compose/paperless/"
        assert "▸ paperless" in screen.text
        await screen.press("l")
        assert "▾ paperless" in screen.text
