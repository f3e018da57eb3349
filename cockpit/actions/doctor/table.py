"""Every check, once, in the order of the report: the command, the terminal UI and the documentation are made from it."""

from __future__ import annotations

from cockpit.actions.doctor import compose, hosts, machine, network, nix, recipients, repository, secrets, tofu
from cockpit.actions.doctor.check import Check

_ROOMS = (machine, repository, recipients, secrets, compose, nix, tofu, hosts, network)

CHECKS: tuple[Check, ...] = tuple(check for room in _ROOMS for check in room.CHECKS)
BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
