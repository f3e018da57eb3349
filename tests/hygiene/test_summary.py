"""What `make test` says at its end is what happened: every skip is told, and one that must not be is a failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import run_tests
from scripts.paths import TOP

SAMPLE = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="no tool")
def test_left_out(): pass
@pytest.mark.xfail(reason="known")
def test_expected(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_error(broken): pass
"""
WHOLE = """
import pytest
pytest.skip("no machine", allow_module_level=True)
"""


def ledger(folder: Path, files: dict[str, str], *options: str, strict: bool) -> tuple[int, dict[str, Any]]:
    """Exit status and ledger of a pytest run of its own over these files, with our conftest."""
    (folder / "tests").mkdir()
    shutil.copy(TOP / "tests/conftest.py", folder / "tests")
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COCKPIT"))}
    env |= {"COCKPIT_LEDGER": str(folder / "ledger.json")} | ({"COCKPIT_REQUIRE_LAB": "1"} if strict else {})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests"]
    status = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False).returncode
    return status, json.loads((folder / "ledger.json").read_text())


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_ledger(tmp_path: Path, options: tuple[str, ...]) -> None:
    files = {"tests/unit/test_a.py": SAMPLE, "tests/unit/test_b.py": WHOLE}
    status, record = ledger(tmp_path, files, *options, strict=True)
    assert status == 1
    assert record["passed"] == 2
    assert record["failed"] == ["tests/unit/test_a.py::test_error", "tests/unit/test_a.py::test_fails"]
    assert record["skipped"] == [["tests/unit/test_a.py::test_left_out", "no tool"], ["tests/unit/test_b.py", "no machine"]]
    assert record["forbidden"] == []


@pytest.mark.parametrize("strict", [True, False])
def test_a_skip_in_the_lab(tmp_path: Path, strict: bool) -> None:
    status, record = ledger(tmp_path, {"tests/lab/test_a.py": WHOLE}, "-n", "2", strict=strict)
    assert record["forbidden"] == (["tests/lab/test_a.py"] if strict else [])
    assert status == (1 if strict else run_tests.NO_TESTS)


def test_tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests, "LEDGERS", tmp_path)
    skipped = [["tests/lab/test_a.py::test_x", "no ip"], ["tests/lab/test_a.py::test_y", "no ip"]]
    record = {"passed": 3, "failed": ["f"], "skipped": skipped, "forbidden": ["tests/lab/test_a.py::test_x"]}
    (tmp_path / "lab.json").write_text(json.dumps(record))
    tally = run_tests.Tally()
    tally.add(run_tests.LAB, 1)
    assert (tally.passed, tally.skipped) == (3, 1)
    assert tally.failed == ["f", "tests/lab/test_a.py::test_x (skipped, and must not be)"]
    assert tally.not_run == [("tests/lab/test_a.py (2)", "no ip")]
    tally.add(run_tests.E2E, 3)
    assert tally.failed[-1] == "e2e: pytest ended with 3 and no report"


@pytest.mark.parametrize("strict", [True, False])
def test_a_group_that_cannot_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, strict: bool) -> None:
    (tmp_path / "tests/lab").mkdir(parents=True)
    (tmp_path / "tests/lab/test_a.py").touch()
    monkeypatch.setattr(run_tests, "TOP", tmp_path)
    monkeypatch.setenv("COCKPIT_REQUIRE_LAB", "1" if strict else "0")
    tally = run_tests.Tally()
    run_tests.run(run_tests.Group("lab", ("lab",), why_not=lambda: "needs root", required=True), tally)
    assert tally.not_run == [("tests/lab", "needs root")]
    assert bool(tally.failed) is strict
