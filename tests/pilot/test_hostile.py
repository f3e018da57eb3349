"""Names, subjects and log lines that carry markup, escapes and bidi overrides come out harmless."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.actions.bundle import Cockpit
from cockpit.domain.hosts import HostFacts
from cockpit.domain.services import Level, LogGap, LogLine, ServicesSnapshot
from tests.pilot.sample import SampleFleet, sample
from tests.pilot.tools import MIDDLE, SMALL, WIDE, opened

EVIL = "[/markup][b]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred\x1b[0m\u202eevil\u2066\u200b\r\n\x9b5n"


def poisoned() -> Cockpit:
    cockpit = sample()
    fleet = cockpit.fleet
    assert isinstance(fleet, SampleFleet)
    fleet.facts = {name: _facts(facts) for name, facts in fleet.facts.items()}
    fleet.snapshots = {name: _snapshot(snapshot) for name, snapshot in fleet.snapshots.items()}
    fleet.attempts = [replace(a, subject=EVIL, who=EVIL, origin=EVIL, reason=EVIL) for a in fleet.attempts]
    fleet.tree_state = replace(fleet.tree_state, branch=EVIL)
    return cockpit


def _facts(facts: HostFacts) -> HostFacts:
    generations = tuple(
        replace(g, by=EVIL, closure=replace(g.closure, subject=EVIL, kernel=EVIL, nixos=EVIL)) for g in facts.generations
    )
    return replace(facts, generations=generations, running=generations[0].closure, failed_units=(EVIL,))


def _snapshot(snapshot: ServicesSnapshot) -> ServicesSnapshot:
    return replace(
        snapshot, services=tuple(replace(s, service=s.service + EVIL, image=EVIL, name=EVIL) for s in snapshot.services)
    )


@pytest.mark.parametrize("size", [WIDE, MIDDLE, SMALL])
@pytest.mark.parametrize("pane", ["hosts", "services", "releases"])
async def test_nothing_of_it_reaches_a_strip(pane: str, size: tuple[int, int]) -> None:
    async with opened(pane, size, poisoned()) as screen:
        fleet = screen.fleet
        fleet.extra = [
            LogLine("homelab", "paperless", EVIL, 0, EVIL, level=Level.ERROR),
            LogLine("homelab", "paperless", "x", 0, '{"msg": "\\u001b[2J' + "\\u202e" + '"}', level=Level.INFO),
            LogGap("homelab", "paperless", "x", 0, EVIL),
        ]
        fleet.more.set()
        await screen.settle()
        for keys in ([], ["question_mark"], ["escape", "ctrl+p", "m"], ["escape", "m"], ["escape", "at"], ["escape", "enter"]):
            await screen.press(*keys)
            text = screen.text
            assert not {c for c in text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)}
            assert not set("\u202e\u2066\u200b") & set(text)
        assert len(screen.rows) == size[1]


async def test_the_dialog_too() -> None:
    async with opened(cockpit=poisoned()) as screen:
        await screen.press("b")
        await screen.settle()
        assert "OUTAGE" in screen.text
        assert "[/markup]" in screen.text
        assert "\x1b" not in screen.text
