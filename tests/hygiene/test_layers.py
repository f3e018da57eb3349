"""Who may import whom, and what a quick command must not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scripts import check
from scripts.paths import TOP

HEAVY = ("textual", "rich", "asyncssh", "docker", "proxmoxer", "requests", "pyrage", "cryptography", "msgspec", "asyncio")
"""`--help` needs none of these; the budget is 1.1 x `python -c 'import asyncio'`."""

REPORT = """
import atexit, json, runpy, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.__stderr__))
sys.argv = ["cockpit", *{arguments!r}]
runpy.run_module("cockpit", run_name="__main__", alter_sys=True)
"""


def loaded(*arguments: str) -> set[str]:
    """The modules that are loaded when `python -m cockpit ARGUMENTS` ends."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(arguments=list(arguments))],
        cwd=TOP,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_layers() -> None:
    done = check.run(check.layers())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("deploy", "--help"), ("--version",)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    modules = loaded(*arguments)
    assert "cockpit.cli.parser" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_the_probe_sees_what_is_loaded() -> None:
    """The test above could not fail if the probe saw nothing."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, asyncssh; print(sorted(m for m in sys.modules if m == 'asyncssh'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "asyncssh" in done.stdout
