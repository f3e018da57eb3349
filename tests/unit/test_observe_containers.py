"""What is measured, when, and how much of it is kept."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.domain.errors import Unreachable, UsageError
from cockpit.domain.services import State
from cockpit.observe.containers import KEPT, Containers
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_containers import FakeEngine, service
from tests.unit.fakes import homelab

WEB, DB = service("alpha", "core", "web"), service("alpha", "core", "db", State.EXITED)


async def test_only_what_runs_is_measured_and_the_past_is_bounded() -> None:
    engine = FakeEngine("alpha", [WEB, DB], FakeClock())
    containers = Containers({"alpha": engine})
    seen = await containers.measured("alpha", await engine.services())
    assert {s.service: s.usage is not None for s in seen.services} == {"db": False, "web": True}
    assert containers.past(WEB) == ()  # the first answer has no time to compare with
    for _ in range(KEPT + 5):
        await containers.measured("alpha", seen)
    assert len(containers.past(WEB)) == KEPT
    engine.set("web", state=State.EXITED)
    await containers.measured("alpha", await engine.services())
    assert containers.past(WEB) == ()


async def test_a_state_without_numbers_is_worth_more_than_nothing() -> None:
    engine = FakeEngine("alpha", [WEB], FakeClock())
    engine.errors["usage"] = [Unreachable("the engine does not answer")]
    seen = await Containers({"alpha": engine}).measured("alpha", await engine.services())
    assert [s.service for s in seen.services] == ["web"] and seen.services[0].usage is None


async def test_a_hidden_pane_measures_nothing() -> None:
    lab = homelab(["alpha"])
    observer = lab.cockpit.fleet.services["alpha"]
    first = (await observer.refresh()).value
    assert first is not None and all(s.usage is None for s in first.services)
    observer.show(True)
    second = (await observer.refresh()).value
    assert second is not None and all(s.usage is not None for s in second.services)


async def test_details_of_what_is_gone() -> None:
    containers = Containers({"alpha": FakeEngine("alpha", [WEB], FakeClock())})
    assert (await containers.detail(WEB)).container == WEB.container
    with pytest.raises(UsageError, match="has no container"):
        await containers.detail(replace(WEB, container="gone"))


async def test_lines_of_several_hosts_are_one_stream_by_time() -> None:
    lab = homelab()
    found = [s for e in lab.engines.values() for s in e.all if s.service == "web"]
    lines = await lab.cockpit.fleet.history(found, None, 2)
    assert [(i.host, i.text) for i in lines] == [
        ("alpha", "line 3"), ("beta", "line 3"), ("alpha", "line 4"), ("beta", "line 4"),
    ]  # fmt: skip
