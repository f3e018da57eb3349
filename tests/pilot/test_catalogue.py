"""Every action of the catalogue, in every focus that it claims: something answers to it, and its key harms nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.actions.catalog import ACTIONS, CONTEXTS, EDITOR, EVERYWHERE, WHILE_TYPING, Action, possible
from tests.pilot.tools import MIDDLE, Screen, opened

WAYS: dict[str, tuple[str, list[str]]] = {
    "overview": ("overview", ["w"]),
    "hosts": ("hosts", ["shift+tab"]),
    "generations": ("hosts", []),
    "services": ("services", []),
    "logs": ("services", ["l"]),
    "releases": ("releases", []),
    "files": ("files", []),
    "editor": ("files", ["e"]),
    "guests": ("vms", []),
    "snapshots": ("vms", [*"jjjjj", "t"]),
}
"""How a person gets there: the pane, and keys."""
LEAVES = ("app.quit", "app.close", "file.lazygit", "service.shell")
"""What ends the program, or hands the terminal to another one."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are saved go where we are."""
    monkeypatch.chdir(tmp_path)


def claims(context: str) -> list[Action]:
    if context == EDITOR:
        return [a for a in ACTIONS if context in a.contexts or a.id in WHILE_TYPING]
    return [a for a in ACTIONS if a.works_in(context)]


async def reach(screen: Screen, context: str) -> None:
    pane, keys = WAYS[context]
    if screen.main.active != pane:
        await screen.press(str(["overview", "vms", "hosts", "services", "files", "releases"].index(pane) + 1))
        await screen.settle()
    if screen.main.context().focus != context:
        if keys:
            await screen.press(*keys)
        await screen.settle()


def test_every_focus_is_reached() -> None:
    assert {*WAYS, EVERYWHERE} == set(CONTEXTS)


@pytest.mark.parametrize("context", WAYS)
async def test_every_action_has_a_handler_wherever_it_claims_to_work(context: str) -> None:
    async with opened(WAYS[context][0]) as screen:
        await reach(screen, context)
        assert screen.main.context().focus == context
        answered = {action for handlers in screen.main.chain() for action in handlers}
        assert [a.id for a in claims(context) if a.id not in answered] == []


@pytest.mark.parametrize("context", [c for c in WAYS if c != EDITOR])
async def test_no_key_changes_anything_before_somebody_was_asked(context: str) -> None:
    """Every key of a focus, pressed once: what reads does it, what is more asks, and nothing was changed."""
    async with opened(WAYS[context][0], size=MIDDLE) as screen:
        pressed = 0
        for action in claims(context):
            if action.id in LEAVES or action.id.startswith("pane."):
                continue
            await reach(screen, context)
            focus = screen.main.context().focus
            if screen.main.keymap.resolve(focus, action.keys[0]) != action.id:
                continue
            reason = possible(action, screen.main.context())
            await screen.press(*action.keys[0].split(" "))
            pressed += 1
            if reason is not None:
                assert reason[:20] in screen.rows[-1], action.id
            screen.cockpit.gate.disarm()
            for _ in range(3):
                await screen.press("escape")
        assert pressed > 10
        assert not screen.rollback.applied
        assert screen.fleet.hypervisor.changes == []
        assert screen.app._exception is None
