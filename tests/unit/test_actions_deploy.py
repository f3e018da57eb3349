"""Deploy, as a person would tell it: what is refused, what happens, what is told."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from cockpit.actions.bundle import Cockpit
from cockpit.actions.run import Run, always, never
from cockpit.domain.errors import BuildFailed, Exit, SecretError, Unreachable
from cockpit.domain.events import (
    Detached,
    Event,
    Failed,
    Finished,
    Outcome,
    Skipped,
    StepFinished,
    StepStarted,
    Waiting,
    Warned,
)
from cockpit.domain.hosts import Attempt, AttemptKind, Holder, Result
from cockpit.domain.plan import Allow, Tier
from cockpit.domain.settings import SecretStyle
from tests.unit.fakes import START, FakeHost, Homelab, homelab, sha, until


async def deploy(
    lab: Homelab,
    *hosts: str,
    run: Run | None = None,
    revision: str | None = None,
    yes: bool = True,
    allow: Allow | None = None,
    dry_run: bool = False,
) -> tuple[Outcome, Run]:
    run = run or lab.cockpit.runs.new(approve=always if yes else never)
    outcome = await lab.cockpit.deploy.execute(hosts or ("alpha",), revision, run=run, allow=allow or Allow(), dry_run=dry_run)
    return outcome, run


def only(run: Run, kind: type[Event], host: str | None = None) -> list[Event]:
    return [e for e in run.log if isinstance(e, kind) and (host is None or e.host == host)]


async def test_a_deploy_from_commit_to_done() -> None:
    lab = homelab()
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.DONE
    (host,) = outcome.hosts
    assert (host.generation, host.commit, host.previous, host.changed) == (142, sha("c"), sha("b"), True)
    assert lab.repository.packed == [(sha("c"), (sha("a"), sha("b")))]
    assert lab.alpha.proofs == {"reach", "confirm"}
    steps = [e.step for e in run.log if isinstance(e, StepFinished)]
    assert steps == [
        "resolve", "connect", "prepare", "plan", "approve",
        "activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record",
    ]  # fmt: skip
    assert isinstance(run.log[-1], Finished) and run.log[-1].host == ""
    (request,) = lab.alpha.requests
    assert request["who"] == "ada" and request["timing"] == {"wait": 2, "stable": 1, "revert_after": 30}
    assert "beta" not in {e.host for e in run.log}


async def test_a_plain_secret_is_refused_before_anything_is_sent() -> None:
    lab = homelab()
    lab.repository.files[sha("c"), "secrets/app.yaml"] = b"app:\n  db-password: hunter2\n"
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.SECRET
    assert "secrets/app.yaml is plain text" in outcome.hosts[0].text
    assert "hunter2" not in repr(outcome)
    assert lab.repository.packed == []


async def test_the_same_commit_is_one_round_trip() -> None:
    lab = homelab()
    outcome, _ = await deploy(lab, revision=sha("b"))
    assert (outcome.exit, lab.alpha.calls) == (Exit.DONE, ["facts"])


async def test_a_stopped_service_of_the_same_commit_is_something_to_do_without_a_build() -> None:
    lab = homelab()
    lab.alpha.stopped = ("core/web",)
    lab.alpha.forbidden = {"receive", "build", "haves"}
    outcome, _ = await deploy(lab, revision=sha("b"))
    assert outcome.exit is Exit.DONE and outcome.hosts[0].changed
    assert lab.alpha.requests[0]["closure"] == lab.alpha.running


async def test_objects_that_the_host_has_are_not_sent_again() -> None:
    lab = homelab()
    lab.alpha.objects.add(sha("c"))
    lab.alpha.forbidden = {"receive"}
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_modified_files_are_refused_by_name_and_untracked_ones_named() -> None:
    lab = homelab()
    lab.repository.modified = ("compose/core/compose.yaml",)
    outcome, run = await deploy(lab)
    (failure,) = only(run, Failed)
    assert outcome.exit is Exit.REFUSED and isinstance(failure, Failed) and "compose/core/compose.yaml" in failure.why
    assert lab.alpha.calls == []
    lab.repository.modified, lab.repository.untracked = (), ("notes.txt",)
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.DONE
    assert any("notes.txt" in e.text for e in run.log if isinstance(e, Warned))


async def test_an_undeployable_repository_is_told() -> None:
    from cockpit.domain.errors import Refused

    lab = homelab()
    lab.repository.undeployable = Refused("this clone is shallow", hint="git fetch --unshallow")
    assert (await deploy(lab))[0].exit is Exit.REFUSED


async def test_an_older_commit_is_refused_unless_rewinding_is_allowed() -> None:
    lab = homelab()
    assert (await deploy(lab, revision=sha("a")))[0].exit is Exit.REFUSED
    assert "build" not in lab.alpha.calls
    assert (await deploy(lab, revision=sha("a"), allow=Allow(rewind=True)))[0].exit is Exit.DONE


async def test_a_running_commit_that_is_unknown_here_hints_at_fetch() -> None:
    lab = homelab()
    lab.alpha.add_generation(142, sha("9"))
    outcome, run = await deploy(lab)
    (failure,) = only(run, Failed)
    assert outcome.exit is Exit.REFUSED and isinstance(failure, Failed) and "git fetch" in failure.hint
    assert (await deploy(lab, allow=Allow(rewind=True)))[0].exit is Exit.DONE


@pytest.mark.parametrize("flag", ["from_test", "allow_rewind"])
async def test_a_running_system_without_a_commit_needs_a_word(flag: str) -> None:
    lab = homelab()
    lab.alpha.add_generation(142, None)
    assert (await deploy(lab))[0].exit is Exit.REFUSED
    outcome, _ = await deploy(lab, allow=Allow(from_test=flag == "from_test", rewind=flag == "allow_rewind"))
    assert outcome.exit is Exit.DONE


async def test_a_test_only_system_needs_from_test() -> None:
    lab = homelab()
    lab.alpha.running = lab.alpha.test_only = lab.alpha.closure(sha("b"), "test").path
    lab.alpha.profile = lab.alpha.boot_default = lab.alpha.closure(sha("a")).path
    assert (await deploy(lab))[0].exit is Exit.REFUSED
    assert (await deploy(lab, allow=Allow(from_test=True)))[0].exit is Exit.DONE


async def test_a_locked_host_names_its_holder() -> None:
    lab = homelab()
    lab.alpha.holder = Holder("abcd1234", "eve", "ci", START - 30)
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.LOCKED and "eve" in outcome.hosts[0].text and "cockpit attach abcd1234" in outcome.hosts[0].hint


async def test_a_rebuild_by_hand_holds_the_host_too() -> None:
    lab = homelab()
    lab.alpha.holder = Holder("", "nixos-rebuild", "", 0.0, "rebuild")
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.LOCKED and outcome.hosts[0].why == "rebuild" and "attach" not in outcome.hosts[0].hint


def left_open(path: str) -> Attempt:
    kind, result = AttemptKind.DEPLOY, Result.OPEN
    return Attempt(1, "abcd1234", "alpha", kind, "eve", "ci", START, sha("b"), "", path, 141, None, path, None, result)


async def test_an_attempt_left_open_is_recovered_first() -> None:
    lab = homelab()
    path = lab.alpha.running
    lab.alpha.attempts = [left_open(path)]
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.DONE
    assert lab.alpha.calls[:4] == ["facts", "recover", "facts", "facts"]
    assert lab.alpha.records["abcd1234"]["result"] == "reverted"


async def test_an_attempt_that_ended_nowhere_is_gone_over(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = homelab()
    lab.alpha.attempts = [left_open(lab.alpha.running)]

    async def vain() -> None:
        pass

    monkeypatch.setattr(lab.alpha, "recover", vain)
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.DONE
    assert lab.alpha.requests[-1]["over"] == "abcd1234"
    assert any("goes over it" in e.text for e in run.log if isinstance(e, Warned))


async def test_a_recovery_at_work_is_waited_for() -> None:
    lab = homelab()
    lab.alpha.attempts = [left_open(lab.alpha.running)]
    lab.alpha.holder = Holder("abcd1234", "cockpit", "recovery on this host", 0.0, "recovery")

    async def ends() -> None:
        await lab.clock.sleep(0.1)
        lab.alpha.holder = None
        await FakeHost.recover(lab.alpha)

    task = asyncio.create_task(ends())
    outcome, _ = await deploy(lab)
    await task
    assert outcome.exit is Exit.DONE and lab.alpha.requests[-1]["over"] is None


async def test_failures_before_the_transaction_change_nothing_and_are_recorded() -> None:
    lab = homelab()
    lab.alpha.trouble.build = BuildFailed("error: attribute 'x' missing")
    before = lab.alpha.base
    outcome, run = await deploy(lab)
    assert (outcome.exit, lab.alpha.base) == (Exit.BUILD, before)
    (record,) = lab.audit.all
    assert record["exit"] == 4 and record["who"] == "ada" and record["origin"] == "laptop" and record["run"] == run.id
    assert len(only(run, Failed)) == 1


async def test_problems_of_the_check_keep_their_exits() -> None:
    lab = homelab()
    lab.alpha.trouble.problems = [{"exit": 8, "what": "db-password cannot be decrypted"}]
    assert (await deploy(lab))[0].exit is SecretError.exit
    lab.alpha.trouble.problems, lab.alpha.trouble.inhibitors = [], ["the kernel is too different"]
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.REFUSED and "too different" in outcome.hosts[0].why


async def test_without_approval_nothing_changes() -> None:
    lab = homelab()
    outcome, run = await deploy(lab, yes=False)
    assert outcome.exit is Exit.REFUSED and lab.alpha.requests == []
    assert run.plan is not None and run.plan.tier is Tier.OUTAGE and run.plan.hosts[0].packages
    assert "--yes" in next(e.hint for e in run.log if isinstance(e, Failed))


async def test_a_dry_run_ends_with_the_plan() -> None:
    lab = homelab()
    assert (await deploy(lab, dry_run=True))[0].exit is Exit.TO_DO
    assert (await deploy(lab, dry_run=True, revision=sha("b")))[0].exit is Exit.DONE
    assert lab.alpha.requests == [] and lab.audit.all == []


async def test_a_protected_host_needs_its_name() -> None:
    lab = homelab(protected=["alpha"])
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.REFUSED and "--approve-host alpha" in next(e.hint for e in run.log if isinstance(e, Failed))
    lab = homelab(protected=["alpha"], approve_hosts=["alpha"])
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_apply_without_an_approval_is_refused_by_the_gate() -> None:
    from cockpit.domain.errors import Refused

    lab = homelab(headless=False)
    run = lab.cockpit.runs.new()
    plan = await lab.cockpit.deploy.plan(["alpha"], run=run)
    with pytest.raises(Refused):
        await lab.cockpit.deploy.apply(plan, run)
    assert lab.alpha.requests == []
    lab.cockpit.gate.allow_once(plan)
    assert (await lab.cockpit.deploy.apply(plan, run)).exit is Exit.DONE


@pytest.mark.parametrize("phase", ["activate", "converge", "verify", "boot"])
async def test_a_failure_in_any_phase_is_reverted_and_told(phase: str) -> None:
    lab = homelab()
    old = lab.alpha.running
    lab.alpha.trouble.fail_in = phase
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.REVERTED and phase in outcome.hosts[0].text and not outcome.hosts[0].changed
    assert lab.alpha.running == old
    assert any(e.step == phase for e in only(run, Failed))
    lab.alpha.trouble.fail_in = None
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_nobody_reaching_the_host_reverts_it() -> None:
    lab = homelab()
    lab.alpha.trouble.refuse_confirms = 10_000
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.REVERTED and "reach" in outcome.hosts[0].text
    assert any(e.step == "reach" for e in only(run, Waiting))


async def test_the_proof_is_tried_until_it_gets_through() -> None:
    lab = homelab()
    lab.alpha.trouble.refuse_confirms = 3
    assert (await deploy(lab))[0].exit is Exit.DONE
    assert lab.alpha.calls.count("confirm reach") == 4


async def test_a_failed_revert_points_at_the_rescue_text() -> None:
    lab = homelab()
    lab.alpha.trouble.fail_in, lab.alpha.trouble.revert_fails = "verify", True
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.REVERT_FAILED and "RESCUE.txt" in outcome.hosts[0].hint


async def test_a_lost_connection_is_taken_up_again_where_it_broke() -> None:
    lab = homelab()
    lab.alpha.trouble.drop_after = [3, 0, 4]
    outcome, run = await deploy(lab)
    assert outcome.exit is Exit.DONE
    assert lab.alpha.calls.count("watch") == 4
    started = [e.step for e in only(run, StepStarted, "alpha")]
    assert len(started) == len(set(started)), "no event is told twice"


@pytest.mark.parametrize(("lost", "expected"), [("before", Exit.UNREACHABLE), ("after", Exit.DONE)])
async def test_a_connection_lost_while_starting_is_asked_about(lost: str, expected: Exit) -> None:
    lab = homelab()
    lab.alpha.trouble.lose_run = lost
    assert (await deploy(lab))[0].exit is expected


async def test_a_connection_lost_for_good_is_detached() -> None:
    lab = homelab()
    lab.alpha.trouble.hang = True
    run = lab.cockpit.runs.new(approve=always)
    task = asyncio.create_task(deploy(lab, run=run))
    await until(lambda: "watch" in lab.alpha.calls)
    lab.alpha.trouble.unreachable = True
    lab.alpha.wake()
    outcome, _ = await task
    assert outcome.exit is Exit.UNKNOWN and f"cockpit attach {run.id}" in outcome.hosts[0].hint
    assert only(run, Detached)
    await lab.cockpit.close()


async def test_leaving_during_the_transaction_detaches() -> None:
    lab = homelab()
    lab.alpha.trouble.hang = True
    run = lab.cockpit.runs.start(lambda run: lab.cockpit.deploy.execute(["alpha"], run=run), approve=always)
    await until(lambda: "watch" in lab.alpha.calls)
    lab.cockpit.runs.cancel(run)
    outcome = await run.wait()
    assert outcome.exit is Exit.UNKNOWN and only(run, Detached) and lab.audit.all[-1]["exit"] == 11
    await lab.cockpit.close()


async def test_leaving_before_the_transaction_changes_nothing() -> None:
    lab = homelab()

    async def forever(plan: object) -> bool:
        await asyncio.Event().wait()
        return True

    run = lab.cockpit.runs.start(lambda run: lab.cockpit.deploy.execute(["alpha"], run=run), approve=forever)
    await until(lambda: any(e.step == "approve" for e in run.log))
    lab.cockpit.runs.cancel(run)
    outcome = await run.wait()
    assert outcome.exit is Exit.REFUSED and "cancelled" in outcome.hosts[0].text and lab.alpha.requests == []


async def test_two_hosts_at_once() -> None:
    lab = homelab()
    outcome, run = await deploy(lab, "alpha", "beta")
    assert [(h.host, h.exit) for h in outcome.hosts] == [("alpha", Exit.DONE), ("beta", Exit.DONE)]
    assert lab.alpha.requests[0]["run"] == lab.beta.requests[0]["run"] == run.id


async def test_one_host_failing_cancels_no_other_and_the_worst_is_told() -> None:
    lab = homelab()
    lab.alpha.trouble.fail_in = "activate"
    outcome, _ = await deploy(lab, "alpha", "beta")
    assert [h.exit for h in outcome.hosts] == [Exit.REVERTED, Exit.DONE]
    assert outcome.exit is Exit.REVERTED


async def test_hosts_that_have_not_started_are_skipped_after_a_failure() -> None:
    names = [f"h{i}" for i in range(6)]
    lab = homelab(names)
    lab.hosts["h0"].trouble.fail_in = "activate"
    outcome, run = await deploy(lab, *names)
    exits = {h.host: h.exit for h in outcome.hosts}
    assert exits["h0"] is Exit.REVERTED and exits["h1"] is exits["h2"] is exits["h3"] is Exit.DONE
    assert only(run, Skipped) and exits["h4"] is Exit.REFUSED and lab.hosts["h4"].requests == []


async def test_a_plan_that_fails_on_one_host_starts_nowhere() -> None:
    lab = homelab()
    lab.alpha.trouble.unreachable = True
    outcome, _ = await deploy(lab, "alpha", "beta")
    assert outcome.exit is Unreachable.exit and lab.beta.requests == []


async def test_a_host_that_changed_since_the_plan_is_refused_under_the_lock() -> None:
    lab = homelab()

    async def meanwhile(plan: object) -> bool:
        lab.alpha.stopped = ("core/web",)
        return True

    run = lab.cockpit.runs.new(approve=meanwhile)
    outcome, _ = await deploy(lab, run=run)
    assert outcome.exit is Exit.REFUSED and lab.alpha.requests == []


async def test_an_unknown_host_is_a_usage_error() -> None:
    lab = homelab()
    assert (await deploy(lab, "gamma"))[0].exit is Exit.USAGE


def test_the_bundle_names_every_action() -> None:
    assert {"deploy", "rollback", "resume", "attach"} <= set(Cockpit.__struct_fields__)


async def test_a_sidecar_must_be_encrypted_and_alone() -> None:
    lab = homelab()
    lab.cockpit.deploy._world = replace(
        lab.cockpit.deploy._world, settings=replace(lab.cockpit.settings, secret_style=SecretStyle.SIDECAR)
    )
    head, encrypted = sha("c"), b"A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[AES256_GCM,data:x]\nsops_version=3.11.0\n"
    lab.repository.files[head, "compose/core/.env.enc"] = b"A=hunter2\n"
    outcome, _ = await deploy(lab)
    assert (outcome.exit, lab.repository.packed) == (Exit.SECRET, [])
    assert "compose/core/.env.enc is plain text" in outcome.hosts[0].text
    lab.repository.files[head, "compose/core/.env.enc"] = encrypted
    lab.repository.files[head, "compose/core/.env"] = b"A=hunter2\n"
    outcome, _ = await deploy(lab)
    assert (outcome.exit, lab.repository.packed) == (Exit.SECRET, [])
    assert "compose/core/.env is plain text" in outcome.hosts[0].text
    assert "git rm --cached compose/core/.env" in outcome.hosts[0].hint
    del lab.repository.files[head, "compose/core/.env"]
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.DONE
