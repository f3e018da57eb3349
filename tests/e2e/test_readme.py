"""README's first two commands. The others are run by tests/lab/test_reference.py, which says so if one is missing."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.paths import TOP
from scripts.readme import commands
from tests.e2e.terminal import terminals

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


def test_make_demo() -> None:
    assert "make demo" in commands()
    with terminals(1) as (terminal,):
        terminal.start("make --no-print-directory -C " + str(TOP) + " demo")
        terminal.shows("Overview", "2 hosts, all well", "14 services, all well")
        terminal.leave()


def test_make_test_is_what_runs_here() -> None:
    """It cannot run itself: what it would run is what a run of all tests is, and CI runs it."""
    assert "make test" in commands()
    told = subprocess.run(["make", "-n", "-C", str(TOP), "test"], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1 if "Leaving" not in told else -2].endswith("-m scripts.run_tests")
    assert '"test" make test' in (TOP / ".ci/run").read_text()


def test_there_is_nothing_else() -> None:
    assert [command for command in commands() if command.split()[0] not in ("make", "cockpit", "cd")] == []
