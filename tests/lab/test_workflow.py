"""The shipped deploy.yml, run by act: it deploys to a real host, and says on GitHub's terms how that went."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.act import Act
from tests.lab.controller import assert_whole, attempts, world
from tests.lab.homelab import TOP, Homelab
from tests.lab.host import LabHost

HOSTILE = "tidy %0A::error::from-a-subject ::set-output name=result::owned"


@pytest.fixture(scope="module")
def act(host: LabHost, homelab: Homelab, tmp_path_factory: pytest.TempPathFactory) -> Act:
    """What an owner sets once, and the homelab as `main` has it: no pinned key of its own, and protected."""
    for name in (".github/workflows/deploy.yml", "requirements/run.txt", "requirements/build.txt"):
        homelab.write(name, (TOP / name).read_text())
    homelab.edit("cockpit.yaml", f"    host_key: {host.host_key}\n", "    protected: true\n")
    homelab.edit("compose/core/conf/dynamic.txt", "routers: 1", "routers: 2")
    homelab.commit("the pipeline")
    return Act(
        homelab.path,
        tmp_path_factory.mktemp("act"),
        variables={
            "DEPLOY_HOST": host.address,
            "SSH_KNOWN_HOSTS": host.known_hosts.read_text().strip(),
            "APPROVE_HOSTS": host.name,
            "TS_CLIENT_ID": "client",
            "TS_AUDIENCE": "audience",
        },
        secrets={"DEPLOY_SSH_KEY": host.key.read_text()},
    )


def test_a_push_deploys(act: Act, host: LabHost, homelab: Homelab) -> None:
    before = world(host)
    job = act.push()
    assert job.succeeded, job.log
    after = assert_whole(host)
    assert after.commit == homelab.git("rev-parse", "HEAD")
    assert after.containers["core/traefik"] != before.containers["core/traefik"]
    assert after.containers["paperless/web"] == before.containers["paperless/web"]
    assert job.outputs["result"] == "done" and job.outputs["changed"] == "true"
    assert job.outputs["generation"] == "2" and job.outputs["previous"] == before.commit
    steps = [f"{host.name} {step}" for step in ("connect", "prepare", "activate", "converge", "decide", "record")]
    assert [group for group in job.groups if group in steps] == steps
    assert f"| {host.name} |" in job.summary.replace("\\", "") and "core/traefik recreate" in job.summary
    assert not job.errors
    assert '"audience": "audience"' in job.text and f'"ping": "{host.address}"' in job.text and '"tags": "tag:ci"' in job.text
    # who and from where is on the host's disk: the person who pushed, and the run
    intent = json.loads(host.out("cat /var/lib/cockpit/attempts/*/intent.json | tail -n 1"))
    assert intent["who"] == "ada" and "/actions/runs/" in intent["origin"]
    assert len(attempts(host)) == 1


def test_cockpit_is_what_this_commit_says_and_its_dependencies_are_hashed(act: Act) -> None:
    assert act.installs[1:3] == [
        "pip install --quiet --require-hashes -r requirements/run.txt -r requirements/build.txt",
        "pip install --quiet --no-deps --no-build-isolation .",
    ]


def test_the_key_is_on_no_disk_and_in_no_log(act: Act, host: LabHost) -> None:
    inside = "".join(host.key.read_text().splitlines()[1:-1])[40:100]
    files = [
        path for path in act.folder.rglob("*") if path.is_file() and inside.encode() in path.read_bytes().replace(b"\n", b"")
    ]
    assert files == []
    job = act.push()
    assert inside not in job.log.replace("\n", "")


def test_the_agent_ends_with_the_step(act: Act) -> None:
    assert act.push().succeeded
    ours = [path for path in Path("/proc").glob("[0-9]*/environ") if str(act.folder).encode() in _read(path)]
    assert ours == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def test_the_same_commit_again_is_nothing_to_do(act: Act, host: LabHost) -> None:
    before = world(host)
    job = act.push()
    assert job.succeeded, job.log
    assert job.outputs["result"] == "nothing-to-do" and job.outputs["changed"] == "false"
    assert world(host) == before


def test_without_the_variable_nothing_is_deployed(act: Act, host: LabHost, homelab: Homelab) -> None:
    other = Act(act.repository, act.folder / "unset", {**act.variables, "DEPLOY_HOST": ""}, act.secrets)
    assert other.push().results == {}


def test_a_protected_host_needs_its_name(act: Act, host: LabHost, homelab: Homelab) -> None:
    homelab.edit("compose/core/conf/dynamic.txt", "routers: 2", "routers: 3")
    homelab.commit("three routers")
    before = world(host)
    other = Act(act.repository, act.folder / "unnamed", {**act.variables, "APPROVE_HOSTS": ""}, act.secrets)
    job = other.push()
    assert not job.succeeded and job.outputs["result"] == "refused"
    assert any("protected" in message and "--approve-host" in message for _, message in job.errors), job.errors
    assert world(host) == before


def test_an_unknown_host_key_ends_it(act: Act, host: LabHost) -> None:
    before = world(host)
    stranger = f"{host.address} ssh-ed25519 {'A' * 68}"
    other = Act(act.repository, act.folder / "stranger", {**act.variables, "SSH_KNOWN_HOSTS": stranger}, act.secrets)
    job = other.push()
    assert not job.succeeded and job.outputs["result"] == "unreachable", job.log
    assert world(host) == before


def test_a_plan_by_hand_succeeds_and_changes_nothing(act: Act, host: LabHost) -> None:
    before = world(host)
    job = act.dispatch(action="plan", revision="", host=host.name, resume="false")
    assert job.succeeded, job.log
    assert job.outputs["result"] == "to-do"
    assert "core/traefik" in job.summary
    assert world(host) == before


def test_outside_text_issues_no_command(act: Act, host: LabHost, homelab: Homelab) -> None:
    """A subject, a build log and a file name that look like workflow commands."""
    noise = "\n::error::from-a-build\n::set-output name=result::owned\n::add-mask::a\n"
    homelab.edit(f"nix/hosts/{host.name}.nix", "{ pkgs, ... }:\n{", f"{{ pkgs, ... }}:\nbuiltins.trace ''{noise}'' {{")
    homelab.commit(HOSTILE)
    job = act.push()
    assert job.succeeded, job.log
    assert "from-a-build" in job.text and "from-a-subject" in job.text
    assert not job.errors
    assert job.outputs["result"] == "done"
    assert "ignored" in job.commands and "add-mask" not in job.commands
    assert_whole(host)


def test_a_failing_deploy_is_annotated_and_reverted(act: Act, host: LabHost, homelab: Homelab) -> None:
    before = world(host)
    homelab.edit("compose/core/compose.yaml", "http://127.0.0.1:8000/dynamic.txt", "http://127.0.0.1:8000/missing.txt")
    bad = homelab.commit("a healthcheck that fails")
    job = act.push()
    assert not job.succeeded and job.results == {"deploy": "failure"}
    assert job.outputs["result"] == "reverted" and job.outputs["changed"] == "false"
    assert any("core/traefik" in message for _, message in job.errors), job.errors
    assert "reverted" in job.summary
    after = assert_whole(host)
    assert (after.commit, after.running) == (before.commit, before.running)
    homelab.git("revert", "--no-edit", bad)


def test_a_rollback_by_hand(act: Act, host: LabHost, homelab: Homelab) -> None:
    first = homelab.git("rev-list", "--max-parents=0", "HEAD")
    job = act.dispatch(action="rollback", revision="1", host=host.name, resume="false")
    assert job.succeeded, job.log
    assert job.outputs["result"] == "done" and job.outputs["generation"] == "1"
    assert assert_whole(host).commit == first
    # the next push is held, and a dispatch with `resume` lifts it
    assert act.push().outputs["result"] == "refused"
    job = act.dispatch(action="deploy", revision="", host="", resume="true")
    assert job.succeeded, job.log
    assert assert_whole(host).commit == homelab.git("rev-parse", "HEAD")


@pytest.mark.parametrize("hostile", ["--help", "$(touch {0})", "`touch {0}`", "; touch {0}", "'\"; touch {0} #"])
def test_an_input_is_never_a_command_or_an_option(act: Act, host: LabHost, hostile: str) -> None:
    mark = act.folder / "injected"
    before = world(host)
    shutil.rmtree(act.folder / "state", ignore_errors=True)
    for field in ("revision", "host"):
        inputs = {"action": "plan", "revision": "", "host": "", "resume": "false", field: hostile.format(mark)}
        job = act.dispatch(**inputs)
        assert not job.succeeded and job.outputs.get("result", "usage") == "usage", job.log
    assert not mark.exists()
    assert world(host) == before
