"""Doctor as a whole: a homelab in good order, what is never told, and checks that fail, hang or are broken."""

from __future__ import annotations

from cockpit.actions.doctor import CHECKS, examine
from cockpit.domain.findings import Level
from tests.unit import test_doctor_files, test_doctor_here, test_doctor_hosts
from tests.unit.clinic import ADA, Clinic, sealed
from tests.unit.spoilt import (
    ADDED,
    COMPOSE_FILE,
    WEB,
)


async def test_in_a_homelab_in_good_order_everything_is_fine_and_everything_was_looked_at() -> None:
    clinic = Clinic()
    found = await examine(clinic.context(), CHECKS)
    told = {result.check.id: [(f.level, f.what) for f in result.findings if f.level is not Level.OK] for result in found.results}
    assert told == {check.id: [] for check in CHECKS}
    assert [result.check.id for result in found.results if not result.findings] == []
    assert int(found.exit(strict=True)) == 0


def test_every_check_has_a_way_to_be_spoilt() -> None:
    spoilt = {s.check for room in (test_doctor_here, test_doctor_files, test_doctor_hosts) for s in room.SPOILT}
    assert spoilt == {check.id for check in CHECKS}


async def test_no_value_of_a_secret_is_ever_told() -> None:
    clinic = Clinic()
    clinic.write(WEB, sealed("web:\n  token: fill-in:hunter2\n", ADA))
    clinic.write("secrets/alpha/plain.yaml", "password: hunter2\n")
    clinic.edit("compose/web/.env", "DOMAIN", "API_TOKEN=hunter2\nDOMAIN")
    clinic.edit(COMPOSE_FILE, ADDED, f"{ADDED}    environment: {{DB_PASSWORD: hunter2}}\n")
    clinic.edit("tofu/homelab.auto.tfvars.json", "{", '{"pm_api_token_secret": "hunter2",\n')
    found = await examine(clinic.context(), CHECKS)
    assert found.count(Level.FAIL) >= 4
    assert "hunter2" not in repr(found)
