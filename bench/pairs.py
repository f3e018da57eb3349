"""Two things measured in turn (A B A B ...), so that whatever else the machine does meets both alike."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Measure = Callable[[], float]
"""Does the thing once and returns how long it took, in seconds."""


@dataclass(frozen=True, slots=True)
class Side:
    name: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same number of measurements of both sides, in seconds, in the order in which they were made."""

    ours: str
    theirs: str
    our_seconds: tuple[float, ...]
    their_seconds: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the ratios of neighbours."""
        return median(a / b for a, b in zip(self.our_seconds, self.their_seconds, strict=True))

    @property
    def difference(self) -> float:
        """Median of the differences of neighbours, in seconds."""
        return median(a - b for a, b in zip(self.our_seconds, self.their_seconds, strict=True))

    def lines(self) -> list[str]:
        width = max(len(self.ours), len(self.theirs))
        return [
            f"  {name:<{width}}  median {median(seconds) * 1000:8.1f} ms,"
            f" from {min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f}"
            for name, seconds in ((self.ours, self.our_seconds), (self.theirs, self.their_seconds))
        ]


def compare(ours: Side, theirs: Side, *, pairs: int, warm: int = 1) -> Comparison:
    """`warm` pairs are thrown away (caches of files, connections, bytecode)."""
    first: list[float] = []
    second: list[float] = []
    for _ in range(warm + pairs):
        first.append(ours.measure())
        second.append(theirs.measure())
    return Comparison(ours.name, theirs.name, tuple(first[warm:]), tuple(second[warm:]))


class Failed(Exception):
    """A measured command did not do its work: a time of it would mean nothing."""


def timed(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    statuses: tuple[int, ...] = (0,),
) -> float:
    """Runs a command to its end. Raises Failed with its output for any other exit status."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, input=stdin, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in statuses:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return seconds


def verdict(value: float, budget: float, unit: str = "x") -> str:
    return f"  {value:.2f} {unit}, budget {budget:g} {unit}: {'within' if value <= budget else 'OVER'}"
