"""Doctor as a whole: a homelab in good order, what is never told, and checks that fail, hang or are broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from msgspec.structs import replace

from cockpit.actions.doctor import CHECKS, Check, Context, Result, examine
from cockpit.domain.errors import Exit, Unreachable, UsageError
from cockpit.domain.findings import Finding, Group, Level, fail, ok
from tests.unit import test_doctor_files, test_doctor_here, test_doctor_hosts
from tests.unit.clinic import ADA, Clinic, sealed
from tests.unit.spoilt import ADDED, COMPOSE_FILE, WEB


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


# ---- how checks are run --------------------------------------------------------------------------------------------------------


def _check(name: str, run: Callable[[Context], AsyncIterator[Finding]], **more: object) -> Check:
    return replace(Check(name, name, Group.MACHINE, Level.FAIL, "", run, homelab=False), **more)


async def _fine(context: Context) -> AsyncIterator[Finding]:
    yield ok("well")


async def _hangs(context: Context) -> AsyncIterator[Finding]:
    yield ok("at first")
    await asyncio.Event().wait()


async def _broken(context: Context) -> AsyncIterator[Finding]:
    secret = {"password": "hunter2"}
    yield ok(secret["passwd"])


async def _silent_host(context: Context) -> AsyncIterator[Finding]:
    if context.wanted:
        raise Unreachable("alpha does not answer", "no route", "tailscale status")
    yield ok("never")


async def _many(context: Context) -> AsyncIterator[Finding]:
    for number in range(80):
        yield fail(f"number {number}")


async def test_a_check_that_fails_hangs_or_is_broken_holds_up_nobody() -> None:
    checks = [
        _check("hangs", _hangs, deadline=0.01),
        _check("broken", _broken),
        _check("silent", _silent_host),
        _check("fine", _fine),
    ]
    left: list[int] = []
    found = await examine(Clinic().context(), checks, on_result=lambda result, to_come: left.append(to_come))
    told = {r.check.id: (r.findings[-1].level, r.findings[-1].what) for r in found.results}
    assert told == {
        "hangs": (Level.SKIPPED, "it took too long"),
        "broken": (Level.FAIL, "a defect in cockpit: KeyError"),
        "silent": (Level.SKIPPED, "alpha does not answer"),
        "fine": (Level.OK, "well"),
    }
    assert sorted(left) == [0, 1, 2, 3]
    assert found.exit() is Exit.DEFECT
    assert "hunter2" not in repr(found)


async def test_what_one_check_gave_up_on_is_still_there_for_another() -> None:
    """Both ask for the same; only one has the patience."""
    clinic, ready, asked = Clinic(), asyncio.Event(), 0

    async def slow() -> str:
        nonlocal asked
        asked += 1
        await ready.wait()
        return "there"

    async def impatient(context: Context) -> AsyncIterator[Finding]:
        yield ok(await context.once("slow", slow))

    async def patient(context: Context) -> AsyncIterator[Finding]:
        yield ok(await context.once("slow", slow))

    def heard(result: Result, to_come: int) -> None:
        ready.set()

    checks = [_check("impatient", impatient, deadline=0.01), _check("patient", patient)]
    found = await examine(clinic.context(), checks, on_result=heard)
    assert [r.findings[0].what for r in found.results] == ["it took too long", "there"]
    assert asked == 1


async def test_findings_without_number_are_counted_not_printed() -> None:
    found = await examine(Clinic().context(), [_check("many", _many)])
    assert len(found.results[0].findings) == 51
    assert found.results[0].findings[-1].what == "and 30 more"


async def test_offline_asks_nothing_beyond_this_machine() -> None:
    clinic = Clinic()
    clinic.host.said = AssertionError("asked")  # type: ignore[assignment]
    found = await examine(clinic.context(), CHECKS, offline=True)
    assert {r.check.group for r in found.results}.isdisjoint({Group.ENGINE, Group.MESH, Group.CERTIFICATES})
    assert [r.check.id for r in found.results if r.check.group is Group.HOSTS] == ["hosts.pinned"]
    assert found.exit(strict=True) is Exit.DONE


async def test_outside_a_homelab_only_this_machine_is_looked_at() -> None:
    clinic = Clinic()
    clinic.settings, clinic.trouble = None, UsageError("there is no cockpit.yaml in / or above")
    found = await examine(clinic.context(), CHECKS)
    assert {r.check.group for r in found.results} == {Group.MACHINE, Group.REPOSITORY}
    told = [f for r in found.results for f in r.findings if f.level is Level.FAIL]
    assert [(f.what, f.fix) for f in told] == [("there is no cockpit.yaml in / or above", "cockpit init ./homelab")]
    assert found.exit() is Exit.TO_DO


async def test_projects_of_hosts_that_are_not_looked_at_are_left_alone() -> None:
    clinic = Clinic()
    assert clinic.settings is not None
    beta = replace(clinic.settings.hosts["alpha"], name="beta", projects=())
    clinic.settings = replace(clinic.settings, hosts={**clinic.settings.hosts, "beta": beta})
    context = clinic.context()
    seen = []
    for wanted in (("beta",), ("alpha", "beta")):
        context.wanted = wanted
        seen.append(context.projects)
    assert seen == [(), ("web",)]
