"""What tests of doctor spoil, and how they say what is then found."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from cockpit.domain.checkup import Certificate
from cockpit.domain.findings import Level
from tests.unit.clinic import Clinic
from tests.unit.fake_clock import START

DAY = 86400
FAIL, WARN, NOTE, SKIPPED = Level.FAIL, Level.WARN, Level.NOTE, Level.SKIPPED
OTHER = "age1" + "o" * 58
COMPOSE_FILE, WEB, RULES = "compose/web/compose.yaml", "secrets/alpha/web.yaml", ".sops.yaml"
ADDED = "    image: traefik:v3.7.9\n"
"""A line of the first service, after which a test may add another."""


class Spoilt(Struct, frozen=True):
    """What is done to the homelab, and what the check then says."""

    check: str
    how: Callable[[Clinic], object]
    level: Level
    what: str
    fix: str = ""
    place: str = ""

    async def is_found(self) -> None:
        clinic = Clinic()
        self.how(clinic)
        findings = await clinic.look(self.check)
        found = next((finding for finding in findings if self.what in finding.what), None)
        assert found is not None, findings
        assert found.level is self.level
        assert self.fix in found.fix and self.place in found.where, found
        assert self.level is SKIPPED or found.why or found.fix, "a finding says why, or what to do"


def gone(*paths: str) -> Callable[[Clinic], object]:
    return lambda clinic: [clinic.files.pop(path) for path in paths]


def both(*hows: Callable[[Clinic], object]) -> Callable[[Clinic], object]:
    return lambda clinic: [how(clinic) for how in hows]


def edit(path: str, old: str, new: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.edit(path, old, new)


def write(path: str, text: str | bytes) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.write(path, text)


def compose(old: str, new: str) -> Callable[[Clinic], object]:
    return edit(COMPOSE_FILE, old, new)


def without(program: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.machine.versions.pop(program)


def says(program: str, version: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.machine.versions.update({program: version})


def certificate(days: float, *names: str, why: str = "") -> Certificate:
    return Certificate(names or ("*.home.example.org",), "E7", START + days * DAY, "AA", not why, why)


def facts(**values: object) -> Callable[[Clinic], object]:
    def change(clinic: Clinic) -> None:
        clinic.facts = replace(clinic.facts, **values)

    return change


def put(name: str, value: object) -> Callable[[Clinic], object]:
    return lambda clinic: setattr(clinic, name, value)
