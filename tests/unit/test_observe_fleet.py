"""The read side over a homelab in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from cockpit.actions.run import always
from cockpit.actions.status import status
from cockpit.domain.contents import Contents, ProjectContents, ServiceContents
from cockpit.domain.errors import BuildFailed, Exit, Unreachable
from cockpit.domain.hosts import Hold, Result
from cockpit.domain.plan import Change
from cockpit.domain.services import LogGap, LogItem, LogLine
from tests.unit.fakes import START, homelab, sha, until


async def test_facts_carry_subjects_and_the_distance_to_main() -> None:
    lab = homelab()
    await lab.cockpit.fleet.refresh()
    facts = lab.cockpit.fleet.hosts["alpha"].latest.value
    assert facts is not None and facts.running.subject == "Add the proxy"
    assert [g.closure.subject for g in facts.generations] == ["Add the proxy", "Start"]
    assert await lab.cockpit.fleet.against_main("alpha") == "1 behind main"
    lab.alpha.hold = Hold("00000001", (sha("c"),), "ada", START)
    lab.alpha.running = lab.alpha.closure(sha("a")).path
    lab.beta.add_generation(142, sha("c"))
    await lab.cockpit.fleet.refresh()
    assert await lab.cockpit.fleet.against_main("alpha") == "held, 2 behind main"
    assert await lab.cockpit.fleet.against_main("beta") == "in step"
    lab.alpha.hold = None
    for commit, text in ((sha("9"), "a commit that is not here"), (None, "no commit")):
        lab.alpha.add_generation(150, commit)
        await lab.cockpit.fleet.refresh()
        assert await lab.cockpit.fleet.against_main("alpha") == text


async def test_a_silent_host_keeps_its_last_value() -> None:
    lab = homelab()
    await lab.cockpit.fleet.refresh()
    lab.alpha.trouble.unreachable = True
    alpha, beta = await status(lab.cockpit.fleet, ["alpha", "beta"])
    assert isinstance(alpha.error, Unreachable) and alpha.facts is None and beta.error is None
    assert lab.cockpit.fleet.hosts["alpha"].latest.value is not None


async def test_status_names_what_to_look_at() -> None:
    lab = homelab()
    lab.alpha.stopped, lab.alpha.failed_units = ("core/web",), ("nginx.service",)
    (alpha,) = await status(lab.cockpit.fleet, ["alpha"])
    assert alpha.problems == ("core/web is not as it should be", "nginx.service failed")


async def test_releases_join_hosts_by_run_and_show_what_never_arrived() -> None:
    lab = homelab()
    cockpit = lab.cockpit
    run = cockpit.runs.new(approve=always)
    await cockpit.deploy.execute(["alpha", "beta"], run=run)
    lab.clock.time += 100
    failed = cockpit.runs.new(approve=always)
    lab.repository.commit("d", "c", subject="Break it")
    lab.alpha.trouble.build = BuildFailed("error: undefined variable")
    await cockpit.deploy.execute(["alpha"], run=failed)
    lab.clock.time += 100
    await cockpit.deploy.execute(["beta"], sha("c"), run=cockpit.runs.new(approve=always))
    await cockpit.fleet.refresh()
    newest, first = cockpit.fleet.releases()
    assert (newest.run, newest.exit, newest.attempts, newest.hosts) == (failed.id, Exit.BUILD, (), ("alpha",))
    assert "undefined variable" in newest.failures[0][1]
    assert (first.run, first.exit, first.hosts) == (run.id, Exit.DONE, ("alpha", "beta"))
    assert first.subject == "Update paperless" and not first.running


async def test_a_release_that_is_running() -> None:
    lab = homelab()
    lab.alpha.trouble.hang = True
    run = lab.cockpit.runs.start(lambda run: lab.cockpit.deploy.execute(["alpha"], run=run), approve=always)
    await until(lambda: "watch" in lab.alpha.calls)
    await lab.cockpit.fleet.refresh()
    (release,) = lab.cockpit.fleet.releases()
    assert release.run == run.id and release.running and release.exit is None and release.attempts[0].result is Result.OPEN
    await lab.cockpit.close()


async def test_a_difference_of_two_generations() -> None:
    lab = homelab()
    await lab.cockpit.fleet.refresh()
    facts = lab.cockpit.fleet.hosts["alpha"].latest.value
    assert facts is not None
    old, new = (next(g.closure.path for g in facts.generations if g.number == number) for number in (140, 141))
    path = "/nix/store/" + "a" * 32 + "-"

    def consists(closure: str, version: str, cockpit: bool = True) -> Contents:
        web = ProjectContents(
            secrets={"db-password": f"{path}{version}"}, services={"web": ServiceContents(image=f"web:{version}")}
        )
        gone = {"gone": ProjectContents(services={"old": ServiceContents(image="old:1")})} if version == "1" else {}
        paths = (f"{path}openssl-3.0.{version}", f"{path}e-0123456789a{version}")
        return Contents("alpha", closure, paths=paths, has_cockpit=cockpit, projects={"core": web} | gone if cockpit else {})

    lab.hosts["alpha"].stored = {old: consists(old, "1"), new: consists(new, "2")}
    diff = await lab.cockpit.fleet.diff("alpha", 140, 141)
    # files of the release are no packages
    assert [(p.name, p.new) for p in diff.packages] == [("openssl", "3.0.2")]
    assert [(s.project, s.service, s.change, s.old_image, s.new_image) for s in diff.services] == [
        ("core", "web", Change.RECREATE, "web:1", "web:2"),
        ("gone", "old", Change.REMOVE, "old:1", None),
    ]
    assert [c.subject for c in diff.commits] == ["Add the proxy"] and diff.left_out == ()
    assert [(s.name, s.change) for s in diff.secrets] == [("db-password", "file changed")]
    assert diff.compared and diff.notes == ()

    lab.hosts["alpha"].stored[old] = consists(old, "1", cockpit=False)
    bare = await lab.cockpit.fleet.diff("alpha", 140, 141)
    assert (bare.compared, bare.services, bare.secrets) == (False, (), ())
    assert bare.packages == diff.packages and bare.notes == ("services and secrets: generation 140 knows nothing of them",)


async def test_logs_of_several_hosts_are_one_stream() -> None:
    lab = homelab()
    await lab.cockpit.fleet.services["alpha"].refresh()
    services = [*lab.engines["alpha"].all, *lab.engines["beta"].all]
    stream = lab.cockpit.fleet.logs(services)
    seen = {item.host async for item in _items(stream, 10)}
    assert seen == {"alpha", "beta"}


async def _items(stream: AsyncGenerator[list[LogItem], None], count: int) -> AsyncIterator[LogItem]:
    found = 0
    async for batch in stream:
        for item in batch:
            assert isinstance(item, LogLine | LogGap)
            yield item
            found += 1
        if found >= count:
            await stream.aclose()
            return


async def test_a_change_of_the_engine_is_read_at_once_and_stop_ends_everything() -> None:
    lab = homelab()
    fleet = lab.cockpit.fleet
    fleet.start()
    await until(lambda: fleet.services["alpha"].latest.value is not None)
    lab.engines["alpha"].all.pop()
    lab.engines["alpha"].queue.put_nowait("web")
    await until(lambda: len(fleet.services["alpha"].latest.value.services) == 1)  # type: ignore[union-attr]
    await fleet.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_units_and_journal_come_from_the_host() -> None:
    lab = homelab()
    assert (await lab.cockpit.fleet.units("alpha"))[0][0] == "sshd.service"
    assert "sshd" in (await lab.cockpit.fleet.journal("alpha", "sshd.service"))[0]
