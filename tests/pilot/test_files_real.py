"""A secret edited from the keyboard, with real git, the real sops and age behind the screen."""

from __future__ import annotations

import re
from typing import cast

from msgspec.structs import replace

from cockpit.actions.files import FileActions
from cockpit.actions.operations import Operations
from cockpit.observe.files import Files
from cockpit.tui.panes.files import FilesPane
from tests.contract.test_files_contract import NEW, SECRET, Lab, lab
from tests.pilot.sample import NoAudit, sample
from tests.pilot.tools import opened

__all__ = ["lab"]
PATH = "secrets/app.yaml"


async def test_one_edited_value_touches_its_line_only_and_the_real_sops_reads_it(lab: Lab) -> None:
    cockpit = sample()
    operations = Operations(cockpit.clock, NoAudit(), cockpit.gate, "ada", "desk")
    cockpit = replace(
        cockpit,
        work_tree=lab.tree,
        files=Files(lab.tree, lab.store, cockpit.clock),
        file_actions=FileActions(lab.tree, lab.store, operations),
    )
    async with opened("files", cockpit=cockpit) as screen:
        pane = cast(FilesPane, screen.main.pane)

        async def until(text: str) -> None:
            for _ in range(100):
                if text in screen.text:
                    return
                await screen.pilot.pause(0.05)
            raise AssertionError(screen.text)

        await until("app.yaml")
        pane.turn_to(PATH)
        await screen.press("enter")
        await until("decrypted in memory")
        assert SECRET not in screen.text
        assert pane.editor.document is not None
        row = next(i for i, line in enumerate(pane.editor.document.lines) if "password" in line)
        await screen.press(*["down"] * row, "end")
        await screen.press("ctrl+t", *["shift+left"] * len(SECRET), *NEW.replace("-", "_"))
        await screen.press("ctrl+s", "y")
        await until("encrypted and saved")
        await until("Against HEAD")
    new = NEW.replace("-", "_")
    data = (lab.top / PATH).read_bytes()
    assert (await lab.store.decrypt(PATH, data, "db.password")).reveal().decode() == new
    changed = [line for line in lab.git("diff", "-U0").splitlines() if re.match(r"[-+][^-+]", line)]
    assert {re.split(r"[ :]+", line[1:].strip())[0] for line in changed} <= {"password", "mac", "lastmodified"}
    assert len(changed) in (4, 6)
