"""A plan that only looks: a release built elsewhere, compared with a real host by an account that has no rights there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.act import Act
from tests.lab.controller import Controller, Done
from tests.lab.homelab import TOP, Homelab
from tests.lab.host import LabHost

READER = "cockpit-plan"
NIX = "build-users-group =\nsandbox = false\nsubstituters =\nexperimental-features = nix-command flakes\nwarn-dirty = false"


@dataclass
class Runner(Controller):
    """A machine with a nix of its own."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"NIX_CONFIG": NIX}


@pytest.fixture(scope="module")
def runner(host: LabHost, homelab: Homelab) -> Runner:
    return Runner(host, homelab, "runner")


@pytest.fixture(scope="module")
def base(host: LabHost, homelab: Homelab, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A clone of what runs, that never sees the commits of the pull request; its key lets in the reader only."""
    other = Homelab(tmp_path_factory.mktemp("base") / "repo", homelab.host, homelab.address, homelab.host_key)
    homelab.git("clone", "-q", "--no-local", str(homelab.path), str(other.path))
    # Debian lets only this group talk to the nix daemon, NixOS everybody
    host.exec(
        f"useradd -m -s /bin/bash -G nix-users -p '*' {READER} && install -d -m 700 -o {READER} /home/{READER}/.ssh && "
        f"sed 's/^/restrict /' /root/.ssh/authorized_keys >/tmp/keys && "
        f"install -m 600 -o {READER} /tmp/keys /home/{READER}/.ssh/authorized_keys && rm /tmp/keys"
    )
    return Runner(host, other, "base")


@pytest.fixture(scope="module")
def release(runner: Runner, base: Runner, host: LabHost, homelab: Homelab) -> Path:
    """The file of a pull request that touches everything that a plan tells."""
    compose = "compose/paperless/compose.yaml"
    homelab.write(compose, homelab.read(compose).replace("app:1", "app:2", 1))  # web: its image
    homelab.edit("compose/paperless/broker.conf", "queues = 1", "queues = 2")  # broker: a mounted file
    homelab.encrypt(f"secrets/{host.name}/observe.yaml", "gotify:\n  token: another-one\n")  # gotify: a secret
    core = homelab.read("compose/core/compose.yaml")
    homelab.write(
        "compose/core/compose.yaml", core.replace("    restart: unless-stopped\n", "    restart: always\n", 1)
    )  # traefik
    homelab.edit("cockpit.yaml", "projects: [core, paperless, observe, home]", "projects: [core, paperless, observe]")
    homelab.edit(f"nix/hosts/{host.name}.nix", "marker one", "marker two")
    homelab.edit(f"nix/hosts/{host.name}.nix", "networking.hostName", 'lab.kernel = "6.12.60";\n  networking.hostName')
    homelab.commit("a pull request")
    file = host.folder / "release.json"
    done = runner.run("release", "--file", str(file))
    assert done.code == 0, done.out
    return file


def look(base: Runner, *args: str) -> tuple[Done, dict[str, Any]]:
    """The plan of the one host, as JSON."""
    done = base.run("plan", "--read-only", "--as", READER, "--output", "json", *args)
    events = [json.loads(line) for line in done.out.splitlines()]
    plans = [event for event in events if event["event"] == "Plan"]
    return done, plans[-1]["hosts"][0] if plans and plans[-1]["hosts"] else {}


def trace(host: LabHost) -> set[str]:
    """What a plan could have left behind on the host. The host itself writes down its boot default every twenty seconds."""
    text = host.out(
        "find /var/lib/cockpit /run/cockpit /nix/var/nix/gcroots /home /boot -mindepth 1 ! -name 'boot-default*' -printf '%p %T@\\n'; "
        f"find /tmp /var/tmp /dev/shm -user {READER}; ls /nix/store | wc -l; "
        "docker ps -a --no-trunc --format '{{.ID}} {{.Status}}' | cut -d ' ' -f 1-2; docker images -q"
    )
    return set(text.splitlines())


def test_the_reader_has_no_rights(base: Runner, host: LabHost) -> None:
    assert host.ssh("id -un", READER).stdout.strip() == READER
    assert host.ssh("sudo -n true", READER, check=False).returncode != 0
    assert host.ssh("docker ps", READER, check=False).returncode != 0
    assert host.ssh("ls /var/lib/cockpit/repo.git", READER, check=False).returncode != 0


def test_what_runs_is_nothing_to_do(base: Runner, host: LabHost) -> None:
    """Built here from the same commit, it is the same system, by the same name."""
    file = host.folder / "same.json"
    assert base.run("release", "--file", str(file)).code == 0
    done, plan = look(base, "--release", str(file))
    assert done.code == 0, done.out
    assert plan["nothing_to_do"] and plan["old"]["path"] == plan["new"]["path"]
    assert "nothing-to-do" in done


def test_it_says_what_the_host_itself_would_say(base: Runner, runner: Runner, host: LabHost, release: Path) -> None:
    before = trace(host)
    done, seen = look(base, "--release", str(release))
    assert done.code == 10, done.out
    assert trace(host) ^ before == set()
    host_says = runner.run("plan", "--output", "json")
    assert host_says.code == 10, host_says.out
    own = [json.loads(line) for line in host_says.out.splitlines()]
    truth = [event for event in own if event["event"] == "Plan"][-1]["hosts"][0]

    def services(plan: dict[str, Any]) -> set[tuple[str, str, str]]:
        return {(s["project"], s["service"], s["change"]) for s in plan["services"] if s["change"] != "keep"}

    assert services(seen) == services(truth)
    assert services(seen) == {
        ("paperless", "web", "recreate"),
        ("paperless", "broker", "recreate"),
        ("observe", "gotify", "recreate"),
        ("core", "traefik", "recreate"),
        ("home", "homepage", "remove"),
        ("home", "migrate", "remove"),
    }
    assert seen["new"]["path"] == truth["new"]["path"] and seen["old"]["path"] == truth["old"]["path"]
    assert seen["reboot"] == truth["reboot"] == ["6.12.58", "6.12.60"]
    assert seen["packages"] == truth["packages"]
    assert "marker.service" in seen["units"]["restart"] + seen["units"]["stop"]
    changed = {(s["project"], s["name"]) for s in seen["secrets"]}
    assert changed == {(s["project"], s["name"]) for s in truth["secrets"] if s["change"] != "same"}


def test_it_says_what_it_cannot_know(base: Runner, host: LabHost, release: Path) -> None:
    text = base.run("plan", "--read-only", "--as", READER, "--release", str(release))
    assert text.code == 10, text.out
    for line in (
        "no trial activation was made",
        "whether the host can decrypt",
        "nothing was pulled",
        "this clone does not have it",
    ):
        assert line in text, text.out


def test_a_closure_that_cannot_be_read_costs_the_packages_only(base: Runner, host: LabHost, release: Path) -> None:
    host.exec(f"gpasswd -d {READER} nix-users")
    done, plan = look(base, "--release", str(release))
    host.exec(f"gpasswd -a {READER} nix-users")
    assert done.code == 10 and plan["services"] and not plan["packages"]
    assert any("which packages change" in line for line in plan["unknown"])


def test_nobody_became_root_and_nothing_was_sent(base: Runner, host: LabHost, release: Path) -> None:
    mark = host.out("date +%s.%N")
    assert look(base, "--release", str(release))[0].code == 10
    assert "COMMAND" not in host.out(f"journalctl -t sudo --since=@{mark} -o cat")
    assert host.out(f"journalctl -u ssh --since=@{mark} -o cat | grep -c 'Accepted publickey for {READER}'") == "1"


def test_without_a_file_it_builds_here(runner: Runner, base: Runner, host: LabHost, release: Path) -> None:
    """With the commit at hand it also says what the rules would."""
    done, plan = look(runner)
    assert done.code == 10, done.out
    assert not any("this clone does not have it" in line for line in plan["unknown"])
    assert not plan["problems"]


def test_a_secret_in_the_environment_is_a_problem(
    runner: Runner, base: Runner, host: LabHost, homelab: Homelab, release: Path
) -> None:
    compose = "compose/core/compose.yaml"
    homelab.write(
        compose, homelab.read(compose).replace("  socket-proxy:\n", "  socket-proxy:\n    environment: {API_TOKEN: plain}\n")
    )
    mistake = homelab.commit("a mistake")
    file = host.folder / "mistake.json"
    assert runner.run("release", "--file", str(file)).code == 0
    done, plan = look(base, "--release", str(file))
    assert done.code == 9, done.out
    assert "API_TOKEN" in json.dumps(plan["problems"])
    homelab.git("revert", "--no-edit", mistake)


def test_a_build_that_fails_is_told(runner: Runner, host: LabHost, homelab: Homelab, release: Path) -> None:
    homelab.edit("cockpit.yaml", "    source: compose/home\n", "    source: compose/nowhere\n")
    homelab.edit("cockpit.yaml", "projects: [core, paperless, observe]", "projects: [core, paperless, observe, home]")
    bad = homelab.commit("a folder that is not there")
    done = runner.run("release", "--file", str(host.folder / "bad.json"), "--output", "github")
    assert done.code == 4, done.out
    assert "::error" in done and "there is no folder 'compose/nowhere'" in done
    assert not (host.folder / "bad.json").exists()
    homelab.git("revert", "--no-edit", bad)


# ---- the two workflows of a pull request ------------------------------------------------------------------------------------

GH = """\
#!/usr/bin/env bash
# Stand-in of GitHub's command line: knows what plan-report.yml asks.
set -euo pipefail
printf '%s\\n' "$*" >>{folder}/gh.log
[ -n "${{GH_TOKEN:-}}" ] || {{ echo "no token" >&2; exit 4; }}
case "$1 $2" in
  api\\ repos/*/actions/runs/77/artifacts*) stat -c %s {folder}/artifacts/release/release.json ;;
  "run download")
    while [ $# -gt 0 ]; do [ "$1" != --dir ] || folder=$2; shift; done
    mkdir -p "$folder" && cp {folder}/artifacts/release/release.json "$folder/"
    ;;
  "pr list")
    while [ $# -gt 0 ]; do [ "$1" != --jq ] || filter=$2; shift; done
    jq -r "$filter" <<<'[{{"number": 5, "headRefOid": "abc"}}, {{"number": 7, "headRefOid": "{head}"}}]'
    ;;
  "pr comment")
    number=$3
    while [ $# -gt 0 ]; do [ "$1" != --body-file ] || file=$2; shift; done
    cp "$file" {folder}/comment-$number.md
    ;;
  *) echo "this stand-in does not know: $*" >&2; exit 2 ;;
esac
"""


def act(homelab: Homelab, host: LabHost, folder: Path, workflow: str) -> Act:
    for name in (f".github/workflows/{workflow}", "requirements/run.txt", "requirements/build.txt"):
        homelab.write(name, (TOP / name).read_text())
    return Act(
        homelab.path,
        folder,
        variables={"DEPLOY_HOST": host.address, "SSH_KNOWN_HOSTS": host.known_hosts.read_text().strip()},
        secrets={"PLAN_SSH_KEY": host.key.read_text()},
        workflow=workflow,
        environment={"NIX_CONFIG": NIX},
    )


def test_a_pull_request_gets_its_plan(
    runner: Runner, base: Runner, host: LabHost, homelab: Homelab, release: Path, tmp_path: Path
) -> None:
    """Part one on the pull request's tree, part two on main's: between them goes one file."""
    head = homelab.git("rev-parse", "HEAD")
    built = act(homelab, host, tmp_path, "plan.yml")
    homelab.commit("the pipeline")
    built.secrets.clear()
    job = built.event("pull_request", {"pull_request": {"number": 7}})
    assert job.succeeded, job.log
    kept = built.artifacts / "release/release.json"
    assert kept.is_file() and homelab.git("rev-parse", "HEAD") in kept.read_text()

    report = act(base.homelab, host, tmp_path, "plan-report.yml")
    report.programs["gh"] = GH.format(folder=tmp_path, head=head)
    base.homelab.git("config", "user.name", "ada")
    base.homelab.commit("the pipeline")
    before = trace(host)
    event = {"id": 77, "conclusion": "success", "event": "pull_request", "head_sha": head}
    job = report.event("workflow_run", {"workflow_run": event})
    assert job.succeeded, job.log
    assert trace(host) ^ before == set()
    assert job.outputs["result"] == "to-do" and not job.errors
    assert [path.name for path in tmp_path.glob("comment-*")] == ["comment-7.md"]
    comment = (tmp_path / "comment-7.md").read_text()
    assert comment == job.summary
    assert "paperless/web recreate" in comment and "home/homepage remove" in comment and "not known" in comment

    for change in ({"conclusion": "failure"}, {"event": "push"}):
        assert report.event("workflow_run", {"workflow_run": event | change}).results == {}
    kept.write_text(kept.read_text().replace('"schema": 1', '"schema": "::error::owned"'))
    job = report.event("workflow_run", {"workflow_run": event})
    assert not job.succeeded
    assert len(job.errors) == 1 and "this is no release file" in job.errors[0][1], job.errors
    kept.write_text(" " * 5_000_000)
    job = report.event("workflow_run", {"workflow_run": event})
    assert not job.succeeded and [message for _, message in job.errors] == ["the release file is too big"]
