"""What a command line will ask for certain, asked before the rest of cockpit is imported."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from cockpit import config
from cockpit.adapters.nixos.questions import PROBE, quick
from cockpit.adapters.openssh import Question
from cockpit.cli.choice import patterns, select
from cockpit.domain.errors import CockpitError
from cockpit.domain.settings import Settings

MOST = 4
"""Hosts that are asked at once."""


class Early(Struct, frozen=True):
    """Settings that were read already, and questions on their way, by host."""

    settings: Settings
    questions: Mapping[str, Question]

    def close(self) -> None:
        for question in self.questions.values():
            question.close()


def ask(args: argparse.Namespace) -> Early | None:
    """Of the hosts of a deploy: what they run. None where nothing is to be asked, or something is wrong that others tell."""
    if args.command not in ("deploy", "plan") or getattr(args, "read_only", False):
        return None
    try:
        settings = config.load(Path(args.config) if args.config else config.find(Path.cwd()))
        names = select(settings.hosts.values(), patterns(args))[:MOST]
    except CockpitError:
        return None
    keys = Path(args.known_hosts) if args.known_hosts else None
    return Early(settings, {name: Question(settings.hosts[name], keys, quick(), PROBE) for name in names})
