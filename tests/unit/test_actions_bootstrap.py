"""First contact, with fakes: what is looked at before anything is sent, who builds, whose door is tried."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from cockpit.actions.bootstrap import Bootstrap
from cockpit.actions.run import Run, always, never
from cockpit.domain.contents import Contents
from cockpit.domain.errors import Exit, Refused, Unreachable
from cockpit.domain.events import Failed, Outcome, StepFinished
from cockpit.domain.hosts import Closure, HostFacts, Prospect
from cockpit.domain.settings import HostSettings
from cockpit.ports import BuildResult
from tests.unit.fake_host import FakeHost
from tests.unit.fakes import Homelab, homelab, sha

NEW = Prospect(nixos=True, root=True, cockpit=False, git=True)


class FakeContact(FakeHost):
    """A host whose running system names no commit and has no cockpit."""

    def __init__(self, lab: Homelab, prospect: Prospect = NEW) -> None:
        super().__init__(lab.alpha.settings, lab.clock, 7, None)
        self.prospect = prospect
        self.sent: list[str] = []
        self.has: set[str] = {"/nix/store/glibc"}
        self.shut: Unreachable | None = None
        self.bare = False

    async def facts(self, *, deep: bool = True) -> HostFacts:
        self._call("facts")
        return HostFacts(self.settings.name, 0.0, 0.0, Closure(self.running), None, self.boot_default, self.profile, 7, ())

    async def look(self) -> Prospect:
        self._call("look")
        if self.shut is not None:
            raise self.shut
        return self.prospect

    async def build_first(self, run: str, commit: str, pack: AsyncIterator[bytes]) -> AsyncIterator[str | BuildResult]:
        self._call("build_first")
        self.sent += [chunk.decode() async for chunk in pack]
        yield "evaluating"
        yield BuildResult(self.closure(commit).path, 1.0)

    async def lacks(self, paths: Sequence[str]) -> tuple[str, ...]:
        self._call("lacks")
        return tuple(path for path in paths if path not in self.has)

    async def take(self, run: str, closure: str, stream: AsyncIterator[bytes]) -> None:
        self._call("take")
        self.has |= {chunk.decode() async for chunk in stream}
        self.closure(sha("c"))

    async def prepare(self, run: str, closure: str) -> None:
        self._call("prepare")
        if self.bare:
            raise Refused("the system that was built for alpha has no cockpit")


class FakeBuilder:
    def __init__(self, contact: FakeContact) -> None:
        self.contact = contact
        self.exported: list[str] = []

    async def build(self, host: HostSettings, commit: str | None, told: Callable[[str], None]) -> str:
        assert (commit, host.flake_folder, host.flake_attribute) == (sha("c"), "nix", "alpha")
        told("building alpha")
        return self.contact.closure(sha("c")).path

    async def contents(self, host: HostSettings, closure: str) -> Contents:
        raise AssertionError("nothing is compared")

    async def requisites(self, closure: str) -> tuple[str, ...]:
        return ("/nix/store/glibc", "/nix/store/cockpit-programs", closure)

    async def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        self.exported = list(paths)
        for path in paths:
            yield path.encode()


def lab_and_contact(prospect: Prospect = NEW, **more: Any) -> tuple[Homelab, FakeContact, Bootstrap, FakeBuilder]:  # noqa: ANN401
    lab = homelab(**more)
    for commit in ("b", "c"):
        lab.repository.files[sha(commit), "nix/flake.nix"] = b"{ inputs.nixpkgs.url = 1; }"
        lab.repository.files[sha(commit), "nix/flake.lock"] = b"{}"
    contact = FakeContact(lab, prospect)
    builder = FakeBuilder(contact)

    def make(name: str, user: str) -> FakeContact:
        assert name == "alpha" and user in ("root", "admin")
        return contact

    return lab, contact, Bootstrap(lab.cockpit.deploy._world, make, builder), builder


async def run(lab: Homelab, bootstrap: Bootstrap, *, yes: bool = True, **more: Any) -> tuple[Outcome, Run]:  # noqa: ANN401
    made = lab.cockpit.runs.new(approve=always if yes else never)
    return await bootstrap.execute("alpha", run=made, **more), made


async def test_from_a_look_to_a_generation() -> None:
    lab, contact, bootstrap, builder = lab_and_contact()
    outcome, made = await run(lab, bootstrap)
    assert outcome.exit is Exit.DONE
    steps = [e.step for e in made.log if isinstance(e, StepFinished)]
    assert steps[:5] == ["resolve", "connect", "prepare", "plan", "approve"] and steps[-1] == "record"
    (request,) = contact.requests
    assert (request["kind"], request["generation"]) == ("bootstrap", None)
    assert contact.proofs == {"reach", "confirm"}
    assert contact.sent == ["PACK", sha("c")] and builder.exported == []
    assert lab.alpha.calls == []  # nothing went through the deploy user's own connection but the proofs
    (record,) = lab.audit.records()
    assert record["action"] == "release.bootstrap" and "sw/bin/cockpit-transaction run" in record["commands"][0]


@pytest.mark.parametrize(("user", "words"), [("root", "ssh root@{} /nix"), ("admin", "ssh admin@{} sudo /nix")])
async def test_the_command_that_is_told_signs_in_as_who_was_named(user: str, words: str) -> None:
    lab, contact, bootstrap, _ = lab_and_contact()
    await run(lab, bootstrap, user=user)
    (record,) = lab.audit.records()
    assert record["commands"][0].startswith(words.format(contact.settings.address))


async def test_without_git_there_it_is_built_here_and_what_is_missing_is_copied() -> None:
    lab, contact, bootstrap, builder = lab_and_contact(Prospect(nixos=True, root=True, cockpit=False, git=False))
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.DONE
    assert builder.exported == ["/nix/store/cockpit-programs", contact.closure(sha("c")).path]
    assert "build_first" not in contact.calls
    assert contact.calls.index("take") < contact.calls.index("prepare") < contact.calls.index("receive")


async def test_nothing_is_sent_where_it_cannot_work() -> None:
    lab, contact, bootstrap, _ = lab_and_contact(Prospect(nixos=False, root=True, cockpit=False, git=True))
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.REFUSED and "is no NixOS host" in outcome.hosts[0].text
    assert contact.calls == ["look"]
    lab, contact, bootstrap, _ = lab_and_contact()
    lab.repository.modified = ("cockpit.yaml",)
    outcome, _ = await run(lab, bootstrap)
    assert (outcome.exit, contact.calls) == (Exit.REFUSED, [])
    lab, contact, bootstrap, _ = lab_and_contact()
    lab.repository.files[sha("c"), "secrets/app.yaml"] = b"app:\n  db-password: hunter2\n"
    outcome, _ = await run(lab, bootstrap)
    assert (outcome.exit, contact.calls) == (Exit.SECRET, [])
    lab, contact, bootstrap, _ = lab_and_contact()
    del lab.repository.files[sha("c"), "nix/flake.lock"]
    outcome, _ = await run(lab, bootstrap)
    assert (outcome.exit, contact.calls) == (Exit.BUILD, []) and "nix flake lock ./nix" in outcome.hosts[0].hint


async def test_a_flake_that_does_not_import_the_module_is_told() -> None:
    lab, contact, bootstrap, _ = lab_and_contact()
    contact.bare = True
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.REFUSED and "has no cockpit" in outcome.hosts[0].text
    assert "check" not in contact.calls


async def test_a_host_that_has_cockpit_is_left_alone() -> None:
    lab, contact, bootstrap, _ = lab_and_contact(Prospect(nixos=True, root=True, cockpit=True, git=True))
    outcome, _ = await run(lab, bootstrap, revision=sha("b"))
    assert (outcome.exit, outcome.hosts[0].text) == (Exit.DONE, "nothing to do")
    lab, contact, bootstrap, _ = lab_and_contact(Prospect(nixos=True, root=True, cockpit=True, git=True))
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.REFUSED and outcome.hosts[0].hint == "cockpit deploy alpha"
    assert contact.calls == ["look"]


async def test_root_that_is_let_in_no_more_means_that_it_was_done() -> None:
    lab, contact, bootstrap, _ = lab_and_contact()
    contact.shut = Unreachable("root@alpha.test does not let us in")
    outcome, _ = await run(lab, bootstrap, revision=sha("b"))
    assert outcome.exit is Exit.DONE
    lab, contact, bootstrap, _ = lab_and_contact()
    contact.shut = Unreachable("root@alpha.test does not let us in")
    lab.alpha.trouble.unreachable = True
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.UNREACHABLE and "root@alpha.test does not let us in" in outcome.hosts[0].text


async def test_a_failure_goes_back_and_a_protected_host_needs_its_name() -> None:
    lab, contact, bootstrap, _ = lab_and_contact()
    contact.trouble.fail_in = "converge"
    old = contact.running
    outcome, made = await run(lab, bootstrap)
    assert (outcome.exit, contact.running) == (Exit.REVERTED, old)
    assert any(isinstance(e, Failed) and e.step == "converge" for e in made.log)
    lab, contact, bootstrap, _ = lab_and_contact(protected=["alpha"])
    outcome, _ = await run(lab, bootstrap)
    assert outcome.exit is Exit.REFUSED and "--approve-host alpha" in outcome.hosts[0].hint
    lab, contact, bootstrap, _ = lab_and_contact()
    outcome, _ = await run(lab, bootstrap, yes=False)
    assert outcome.exit is Exit.REFUSED and contact.requests == []


async def test_what_a_person_allows_reaches_the_host() -> None:
    lab, contact, bootstrap, _ = lab_and_contact()
    asked: list[dict[str, Any]] = []
    check = contact.check

    async def remember(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return await check(request)

    contact.check = remember  # type: ignore[method-assign]
    await run(lab, bootstrap, take_over=True, dry_run=True)
    await run(lab_and_contact()[0], bootstrap, dry_run=True)
    assert [request.get("take_over") for request in asked] == [True, None]
    assert asked[0]["kind"] == "bootstrap"
