"""What a host is asked in one round trip."""

from __future__ import annotations

from pathlib import Path

PROBE = Path(__file__).with_name("probe.sh")
"""The script that reads; on standard input of the shell there."""


def quick() -> str:
    """Without disks, units and older generations."""
    return "sh -s quick"


def deep() -> str:
    return "sh -s deep"
