"""`make check`: what can be said about the code without running it. Every step runs; one failure fails the whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.paths import TOP, shell_files

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    command: tuple[str, ...]
    missing: str = ""
    """Why it cannot run on this machine; empty when it can."""


def layers() -> Step:
    return Step("layers", (str(BIN / "lint-imports"), "--no-cache", "--no-logo"))


def shell() -> Step:
    files = tuple(str(path.relative_to(TOP)) for path in shell_files())
    return Step("shellcheck", ("shellcheck", *files), "" if shutil.which("shellcheck") else "not installed: shellcheck")


def generated() -> Step:
    return Step("generated", (sys.executable, "-m", "scripts.generate", "--check"))


def steps() -> list[Step]:
    ruff = str(BIN / "ruff")
    return [
        Step("lint", (ruff, "check", "--quiet", "--output-format", "concise", ".")),
        Step("format", (ruff, "format", "--check", "--quiet", "--output-format", "concise", ".")),
        Step("types", (str(BIN / "mypy"), "--no-error-summary")),
        layers(),
        shell(),
        generated(),
    ]


def run(step: Step) -> subprocess.CompletedProcess[str]:
    """The step's result, standard error merged into its output."""
    return subprocess.run(step.command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main() -> tuple[list[str], list[tuple[str, str]]]:
    """Runs every step and prints its verdict. Returns (failed steps, steps that cannot run here and why)."""
    failed: list[str] = []
    skipped: list[tuple[str, str]] = []
    for step in steps():
        if step.missing:
            print(f"  {step.name:<12} skipped: {step.missing}", flush=True)
            skipped.append((step.name, step.missing))
            continue
        started = time.monotonic()
        done = run(step)
        verdict = "ok" if done.returncode == 0 else "FAILED"
        print(f"  {step.name:<12} {verdict} {time.monotonic() - started:6.1f} s", flush=True)
        if done.returncode != 0:
            print(done.stdout.rstrip(), flush=True)
            failed.append(step.name)
    return failed, skipped


if __name__ == "__main__":
    sys.exit(1 if main()[0] else 0)
