"""`role: observe`: nothing that changes anything, whatever face asks for it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from cockpit.actions.catalog import ACTIONS, CONTEXTS, Context, possible
from cockpit.actions.run import Run, always
from cockpit.actions.safety import Gate
from cockpit.cli import parser
from cockpit.cli.main import run as command
from cockpit.cli.output import Pipe
from cockpit.config.user import load_user
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Exit, Refused, SettingsError
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier
from cockpit.domain.settings import Role
from tests.unit.fakes import FakeClock, Homelab, homelab


def observed(headless: bool) -> Homelab:
    lab = homelab(headless=headless)
    lab.cockpit.gate._observes = True
    return lab


async def yes(operation: Operation, tier: Tier) -> bool:
    raise AssertionError(f"asked for {operation.title}: an observer is refused before")


def test_the_gate_is_shut_for_every_tier_however_it_was_asked() -> None:
    for headless in (True, False):
        gate = Gate(FakeClock(), headless=headless, approve_hosts=["alpha"], observes=True)
        gate.allow_once("file.save")
        for tier in Tier:
            if tier is Tier.READ:
                gate.check(tier, "release.attach", "alpha")
                continue
            with pytest.raises(Refused, match="observe"):
                gate.check(tier, "file.save", "alpha")
        assert not gate.armed
    with pytest.raises(Refused):
        gate.arm()
    assert not gate.armed and gate.armed_until is None


@pytest.mark.parametrize("argv", [
    ["deploy", "alpha", "--yes"], ["deploy", "alpha", "--dry-run"], ["plan", "alpha"], ["rollback", "alpha", "--yes"],
    ["resume", "alpha", "--yes"], ["do", "service.restart", "alpha/core/web", "--yes"],
], ids=" ".join)  # fmt: skip
def test_the_command_line_refuses_before_anything_is_sent(argv: list[str]) -> None:
    lab = observed(headless=True)
    out = io.StringIO()
    code = command(parser.build("0").parse_args(argv), lambda _: lab.cockpit, Pipe(out))
    assert code is Exit.REFUSED, out.getvalue()
    assert "the role here is to observe" in out.getvalue()
    assert lab.alpha.requests == [] and lab.repository.packed == []
    assert set(lab.alpha.calls) <= {"facts"}


@pytest.mark.parametrize("argv", [["status"], ["services"], ["generations"], ["releases"]], ids=" ".join)
def test_the_command_line_still_looks(argv: list[str]) -> None:
    lab = observed(headless=True)
    assert command(parser.build("0").parse_args(argv), lambda _: lab.cockpit, Pipe(io.StringIO())) is Exit.DONE


async def test_operations_are_refused_before_they_are_planned() -> None:
    lab = observed(headless=False)
    cockpit = lab.cockpit
    outcome = await cockpit.services.execute(Lifecycle.RESTART, ["alpha/core/web"], Run("r", lab.clock), yes)
    assert outcome.exit is Exit.REFUSED
    outcome = await cockpit.file_actions.push(Run("r", lab.clock), yes)
    assert outcome.exit is Exit.REFUSED
    outcome = await cockpit.deploy.execute(["alpha"], run=Run("r", lab.clock, always))
    assert outcome.exit is Exit.REFUSED and lab.alpha.requests == []


def test_the_catalogue_greys_everything_that_is_more_than_reading() -> None:
    for action in ACTIONS:
        for focus in CONTEXTS:
            if action.works_in(focus):
                reason = possible(action, Context(focus=focus, observes=True))
                expected = action.tier is not Tier.READ or action.id == "app.arm"
                assert (reason == "role: observe changes nothing") is expected, action.id


def test_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("role: observe\n")
    assert load_user(file).role is Role.OBSERVE
    file.write_text("role: admin\n")
    with pytest.raises(SettingsError) as caught:
        load_user(file)
    assert re.search("config.yaml:1: role: is 'admin'; expected operate, observe", str(caught.value.complaints[0]))
