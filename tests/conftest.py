"""Shared by all tests: what ran and what did not is written down for the end of `make test` (scripts/run_tests.py)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIRED = ("tests/lab/", "tests/e2e/", "tests/contract/")
"""With COCKPIT_REQUIRE_LAB=1 a skip in one of these is a failure."""


class Ledger:
    """Counts outcomes and keeps the reasons of skips. Lives in the process that reports, never in an xdist worker."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            # An expected failure is reported as skipped too; it ran.
            if hasattr(report, "wasxfail"):
                self.passed.add(report.nodeid)
            else:
                self.skipped[report.nodeid] = _reason(report)
        elif report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped[report.nodeid] = _reason(report)

    @property
    def forbidden(self) -> list[str]:
        """Skips that count as failures in this run."""
        if os.environ.get("COCKPIT_REQUIRE_LAB") != "1":
            return []
        return sorted(nodeid for nodeid in self.skipped if f"{nodeid}/".startswith(REQUIRED))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        yield
        if self.forbidden and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if target := os.environ.get("COCKPIT_LEDGER"):
            record = {
                "passed": len(self.passed - self.failed),
                "failed": sorted(self.failed),
                "skipped": sorted(self.skipped.items()),
                "forbidden": self.forbidden,
            }
            Path(target).write_text(json.dumps(record, indent=1))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid in self.forbidden:
            terminalreporter.write_line(f"must not be skipped here (COCKPIT_REQUIRE_LAB=1): {nodeid}", red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(), "cockpit-ledger")
