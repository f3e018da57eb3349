"""`make test`: checks, then every group of tests; at the end what did not run and why, and one line of sums.

`python -m scripts.run_tests [GROUP ...]` runs only these groups, without the checks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from scripts import check
from scripts.lab import why_no_lab, why_no_terminal
from scripts.paths import BUILD, TOP
from tests.lab.engine import Engine

LEDGERS = BUILD / "ledgers"
NO_TESTS = 5
"""pytest's exit status when it collected nothing."""


def _always() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Group:
    """One invocation of pytest."""

    name: str
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()
    why_not: Callable[[], str | None] = _always
    """Why it cannot run on this machine."""
    required: bool = False
    """Whether COCKPIT_REQUIRE_LAB=1 forbids leaving it out."""
    engine: bool = False
    """Whether it uses the machine's Docker engine: started before its workers, so that none of them ends it under another."""


FAST = Group("fast", ("unit", "contract", "pilot", "snapshot", "hygiene"), ("-n", "auto"), engine=True)
E2E = Group("e2e", ("e2e",), why_not=why_no_terminal, required=True)
LAB = Group("lab", ("lab",), ("-m", "not chaos", "-n", "2", "--dist", "loadfile"), why_no_lab, required=True, engine=True)
CHAOS = Group("chaos", ("lab",), ("-m", "chaos"), why_no_lab, required=True, engine=True)
GROUPS = {group.name: group for group in (FAST, E2E, LAB, CHAOS)}
DEFAULT = (FAST, E2E, LAB)


@dataclass
class Tally:
    """What all invocations together came to."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    not_run: list[tuple[str, str]] = field(default_factory=list)
    """(what, why)."""

    def add(self, group: Group, status: int) -> None:
        """Takes in the ledger that tests/conftest.py wrote, or the lack of one."""
        ledger = LEDGERS / f"{group.name}.json"
        if not ledger.exists():
            self.failed.append(f"{group.name}: pytest ended with {status} and no report")
            return
        record = json.loads(ledger.read_text())
        self.passed += record["passed"]
        self.failed += record["failed"] + [f"{nodeid} (skipped, and must not be)" for nodeid in record["forbidden"]]
        self.skipped += len(record["skipped"]) - len(record["forbidden"])
        reasons = Counter((_folder(nodeid), reason) for nodeid, reason in record["skipped"])
        self.not_run += [(f"{place} ({count})", reason) for (place, reason), count in sorted(reasons.items())]
        if status not in (0, NO_TESTS) and not record["failed"] and not record["forbidden"]:
            self.failed.append(f"{group.name}: pytest ended with {status}")


def _folder(nodeid: str) -> str:
    return nodeid.split("::")[0]


@contextmanager
def started_engine() -> Iterator[None]:
    """A Docker engine that answers; ended afterwards if it was started here."""
    engine = Engine()
    engine.start()
    try:
        yield
    finally:
        engine.stop()


def run(group: Group, tally: Tally) -> None:
    """Runs a group, or writes down why not."""
    strict = os.environ.get("COCKPIT_REQUIRE_LAB") == "1" and group.required
    present = [f"tests/{name}" for name in group.folders if any((TOP / "tests" / name).glob("**/test_*.py"))]
    absent = [f"tests/{name}" for name in group.folders if f"tests/{name}" not in present]
    tally.not_run += [(name, "there are no tests in it") for name in absent]
    if not present:
        return
    if reason := group.why_not():
        tally.not_run.append((", ".join(present), reason))
        if strict:
            tally.failed.append(f"{group.name}: {reason} (and COCKPIT_REQUIRE_LAB=1)")
        return
    print(f"\n== {group.name}: {' '.join(present)}", flush=True)
    ledger = LEDGERS / f"{group.name}.json"
    ledger.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *group.options, *present]
    try:
        with started_engine() if group.engine and why_no_lab() is None else nullcontext():
            status = subprocess.run(command, cwd=TOP, env=os.environ | {"COCKPIT_LEDGER": str(ledger)}, check=False).returncode
    except RuntimeError as error:
        tally.failed.append(f"{group.name}: {error}")
        return
    if status == NO_TESTS:
        tally.not_run.append((group.name, "no test was selected"))
        if strict:
            tally.failed.append(f"{group.name}: no test was selected (and COCKPIT_REQUIRE_LAB=1)")
    tally.add(group, status)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    tally = Tally()
    shutil.rmtree(LEDGERS, ignore_errors=True)
    LEDGERS.mkdir(parents=True)
    if not names:
        print("== check", flush=True)
        failed, skipped = check.main()
        tally.failed += [f"check: {name}" for name in failed]
        tally.not_run += [(f"check: {name}", reason) for name, reason in skipped]
    for group in [GROUPS[name] for name in names] or DEFAULT:
        run(group, tally)
    if not names:
        tally.not_run.append(("the long chaos run", "it is `make lab-chaos`"))
        tally.not_run.append(
            ("the shipped flake against the real nixpkgs", "it is `make nix-real`, with checkouts that it is told of")
        )
    print("\nDid not run:")
    for what, why in tally.not_run or [("nothing", "everything ran")]:
        print(f"  {what}: {why}")
    if tally.failed:
        print("\nFailed:")
        for name in tally.failed:
            print(f"  {name}")
    print(f"\n{time.monotonic() - started:.0f} s")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {tally.skipped} skipped", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
