"""A homelab that a hand-made pipeline deployed: adopt its repository, make first contact, and nothing that runs is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import pipeline
from tests.lab.controller import Controller, Done, assert_whole, attempts
from tests.lab.engine import Engine
from tests.lab.host import LabHost, of_this_run
from tests.lab.pipeline import APP_KEY, TOKEN, OldHomelab, containers

TIMING = "    timing: {wait: 30s, stable: 1s, revert_after: 25s}\n"
WIKI = "services:\n  wiki:\n    image: cockpit-lab/app:1\n    restart: unless-stopped\n    command: [sleep, '100000']\n"
DISK = "find /opt/containers -printf '%p %y %i %l %m %u\\n' | sort; find /opt/containers -type f -exec sha256sum {} + | sort -k2"
"""Every file below the projects' folders by path, kind, inode, target, mode, owner; and its content."""


@pytest.fixture(scope="module")
def left(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> OldHomelab:
    """The repository; the host is as its pipeline left it, with a stranger beside."""
    made = pipeline.make(Path(tmp_path_factory.mktemp("homelab")) / "repo", host)
    host.exec(
        "mkdir -p /srv/wiki; cat >/srv/wiki/compose.yaml; cd /srv/wiki && docker compose up -d;"
        "docker run -d --name by-hand cockpit-lab/app:1 sleep 100000",
        stdin=WIKI,
    )
    return made


@pytest.fixture(scope="module")
def controller(host: LabHost, left: OldHomelab) -> Controller:
    return Controller(host, left)


@pytest.fixture(scope="module")
def adopted(controller: Controller, host: LabHost, left: OldHomelab) -> OldHomelab:
    """After `cockpit adopt`, the steps that it names, and deadlines that suit a test."""
    done = controller.run("adopt", "--address", host.address, "--host-key", host.host_key, "--inventory", "--yes")
    assert done.code == 0, done.out
    left.git("rm", "-q", ".github/workflows/deploy.yml")
    left.edit("cockpit.yaml", "    projects: [", TIMING + "    projects: [")
    left.commit("Deploy with cockpit")
    return left


@pytest.fixture
def untouched(host: LabHost, adopted: OldHomelab) -> Iterator[LabHost]:
    """Whatever a refused or failed first contact did: the host is as it was, to the inode, and the repository comes back."""
    head, before = adopted.git("rev-parse", "HEAD"), state(host)
    yield host
    adopted.git("reset", "-q", "--hard", head)
    assert state(host) == before


def state(host: LabHost) -> tuple[str, str, dict[str, str], str]:
    links = "readlink -f /run/current-system /nix/var/nix/profiles/system; cat /boot/loader/default"
    rest = "ls /var/lib/cockpit/projects.json 2>&1; systemctl --failed --no-legend --plain"
    return host.out(links), host.out(DISK), containers(host), host.out(rest)


def bootstrap(controller: Controller, *args: str) -> Done:
    return controller.run("bootstrap", "nixos", "--headless", *args)


# ---- adopt -----------------------------------------------------------------------------------------------------------


def test_adopting_shows_everything_and_writes_nothing(controller: Controller, host: LabHost, left: OldHomelab) -> None:
    before = state(host)
    done = controller.run("adopt", "--address", host.address, "--host-key", host.host_key, "--inventory")
    assert done.code == 10, done.out
    assert left.git("status", "--porcelain") == ""
    assert state(host) == before
    for words in (
        "runs NixOS 25.11",
        "traefik (cockpit-lab/app:1)",
        "+secrets: {style: sidecar}",
        "+    directory: /opt/containers/uptime-kuma",
        "+        (import ./cockpit-host.nix { revision = self.rev or self.dirtyRev or null; })",
        "project wiki runs there and is not in the repository (/srv/wiki): it is left alone",
        "containers of no compose project: by-hand",
        ".github/workflows/deploy.yml deploys by itself",
        "tofu/ describes nixos (VM 105)",
        "nothing was written; --yes writes it, and commits nothing",
    ):
        assert words in done.out, done.out
    document = json.loads(controller.run("adopt", "--address", host.address, "--output", "json").out)
    assert document["event"] == "Adoption" and not document["written"]
    assert [change["path"] for change in document["files"]] == ["cockpit.yaml", "nixos/cockpit-host.nix", "nixos/flake.nix"]


def test_adopting_adds_files_and_one_line(adopted: OldHomelab, controller: Controller, host: LabHost) -> None:
    changed = adopted.git("diff", "--name-status", "HEAD~1", "HEAD").splitlines()
    kept = [line for line in changed if not line.startswith("A\t")]
    assert kept == ["D\t.github/workflows/deploy.yml", "M\tnixos/flake.nix"]
    assert len(adopted.git("diff", "HEAD~1", "HEAD", "--", "nixos/flake.nix").split("\n+")) == 3  # the +++ line, and one more
    again = controller.run("adopt", "--address", host.address)
    assert (again.code, "nothing to do" in again) == (0, True), again.out
    assert adopted.git("status", "--porcelain") == ""


# ---- first contact that does not happen ------------------------------------------------------------------------------


def test_without_approval_nothing_changes(controller: Controller, untouched: LabHost) -> None:
    done = bootstrap(controller)
    assert done.code == 9, done.out
    assert "0 services change" in done
    assert "/opt/containers/traefik/.env is plain text on the disk; it gives way to the encrypted one" in done
    assert bootstrap(controller, "--dry-run").code == 10


def test_a_secret_that_the_host_cannot_read(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    other = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    adopted.encrypt("containers/gotify/.env", "TZ=Europe/Berlin\n", "dotenv", other)
    (adopted.path / "containers/gotify/.env").rename(adopted.path / "containers/gotify/.env.enc")
    adopted.commit("for somebody else")
    done = bootstrap(controller, "--yes")
    assert done.code == 8, done.out
    assert "gotify/.env cannot be decrypted" in done


def test_a_project_that_runs_from_another_folder(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    adopted.edit("cockpit.yaml", "directory: /opt/containers/gotify", "directory: /var/lib/elsewhere")
    adopted.commit("gotify moves")
    done = bootstrap(controller, "--yes")
    assert done.code == 9, done.out
    assert "a project gotify runs already, from /opt/containers/gotify" in done
    assert "--take-over moves it" in done
    untouched.exec("rmdir /var/lib/elsewhere 2>/dev/null; test ! -e /var/lib/elsewhere")


def test_a_commit_that_would_recreate_something(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    adopted.edit("containers/homepage/compose.yaml", "app:1", "app:2")
    adopted.commit("an update")
    done = bootstrap(controller, "--yes")
    assert done.code == 9, done.out
    assert "project homepage does not run as this commit has it: homepage (recreate: image)" in done


def test_plain_text_that_says_something_else(controller: Controller, adopted: OldHomelab, host: LabHost) -> None:
    host.exec("cp -p /opt/containers/gotify/.env /root/env; echo EXTRA=1 >>/opt/containers/gotify/.env")
    before = state(host)
    done = bootstrap(controller, "--yes")
    assert done.code == 9, done.out
    assert "/opt/containers/gotify/.env is plain text, and does not say what its encrypted file in git says" in done
    assert state(host) == before
    host.exec("cat /root/env >/opt/containers/gotify/.env; rm /root/env")


def test_no_lock_is_told_before_anything_is_sent(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    adopted.edit("nixos/flake.nix", "  outputs", '  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";\n  outputs')
    adopted.commit("an input")
    done = bootstrap(controller, "--yes")
    assert done.code == 4, done.out
    assert "nix flake lock ./nixos, then git add nixos/flake.lock and commit" in done


def test_a_deploy_user_who_cannot_get_in_brings_everything_back(
    controller: Controller, adopted: OldHomelab, untouched: LabHost
) -> None:
    """The proof of reachability goes by the user that deploys will use, not by root. A new service is gone again, too."""
    adopted.edit("cockpit.yaml", "user: cockpit", "user: stranger")
    adopted.edit("nixos/cockpit-host.nix", "users.users.cockpit.", "users.users.stranger.")
    adopted.edit("nixos/cockpit-host.nix", "cockpit.host =", 'cockpit.user = "stranger";\n  cockpit.host =')
    adopted.commit("another deploy user")
    done = bootstrap(controller, "--yes")
    assert done.code == 5, done.out
    assert "reach failed" in done
    assert attempts_by_file(untouched)[-1]["result"] == "reverted"


def test_a_new_project_that_fails_goes_again(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    adopted.write(
        "containers/broken/compose.yaml", 'services: {broken: {image: "cockpit-lab/app:1", command: ["sh", "-c", "exit 1"]}}\n'
    )
    adopted.write("containers/broken/note", "x\n")
    adopted.edit("cockpit.yaml", "projects: [", "projects: [broken, ")
    adopted.edit(
        "cockpit.yaml", "\nprojects:\n", "\nprojects:\n  broken: {source: containers/broken, directory: /opt/containers/broken}\n"
    )
    adopted.commit("something broken")
    done = bootstrap(controller, "--yes")
    assert done.code == 5, done.out
    assert "converge failed" in done and "broken" in done, done.out
    assert untouched.out("docker ps -aq --filter label=com.docker.compose.project=broken; ls -A /run/cockpit/secrets.d") == ""


def attempts_by_file(host: LabHost) -> list[dict[str, str]]:
    """On a host whose running system has no program that tells them."""
    out = host.out("for f in /var/lib/cockpit/attempts/*/outcome.json; do cat $f | tr -d '\\n'; echo; done")
    return [json.loads(line) for line in out.splitlines()]


def test_a_supervisor_that_dies_leaves_the_old_system(controller: Controller, adopted: OldHomelab, untouched: LabHost) -> None:
    """Killed while it waits for the proof: its unit's end is the first recovery, by the programs of the new system."""
    untouched.exec("rm -rf /run/cockpit/runs")
    process = controller.start("bootstrap", "nixos", "--headless", "--yes")
    done = untouched.exec(
        'for i in $(seq 600); do grep -qs \'"event":"start","phase":"verify"\' /run/cockpit/runs/*/events && break; sleep 0.05; done;'
        "systemctl kill -s KILL --kill-whom=main nixos-rebuild-switch-to-configuration.service",
        check=False,
    )
    out, _ = process.communicate(timeout=120)
    assert done.returncode == 0, done.stderr
    assert process.returncode == 5, out


def test_a_power_cut_is_mended_by_the_next_contact(controller: Controller, host: LabHost, adopted: OldHomelab) -> None:
    """The old system boots, which has no recovery of its own: whoever comes next ends what was begun, before anything else."""
    before = state(host)
    host.exec("rm -rf /run/cockpit/runs")
    process = controller.start("bootstrap", "nixos", "--headless", "--yes")
    host.exec(
        'for i in $(seq 600); do grep -qs \'"event":"start","phase":"verify"\' /run/cockpit/runs/*/events && exit; sleep 0.05; done; exit 1'
    )
    host.kill()
    host.start()
    out, _ = process.communicate(timeout=200)
    assert process.returncode in (5, 11), out
    assert host.out("readlink /opt/containers/traefik/.env") == "/run/cockpit/secrets/traefik/.env"
    done = bootstrap(controller, "--dry-run")
    assert done.code == 10, done.out
    assert "was left open; the host is finishing or reverting it first" in done
    after = state(host)
    assert (after[0], after[1], after[3]) == (before[0], before[1], before[3])
    ids = [{name: line.split()[1] for name, line in found[2].items()} for found in (before, after)]
    assert ids[0] == ids[1]
    host.exec("docker start by-hand")


# ---- first contact ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cockpits(controller: Controller, host: LabHost, adopted: OldHomelab) -> dict[str, str]:
    """After first contact: the containers as they were before it."""
    before = containers(host)
    done = bootstrap(controller, "--yes")
    assert done.code == 0, done.out
    return before


def test_first_contact_recreates_nothing_and_loses_nothing(
    controller: Controller, host: LabHost, cockpits: dict[str, str]
) -> None:
    assert containers(host) == cockpits
    plan = controller.run("plan", "--headless")
    assert (plan.code, "nothing to do" in plan) == (0, True), plan.out
    assert host.out("cat /opt/containers/traefik/certs/acme.json") == '{"account": "precious"}'
    assert host.out("stat -c %a /opt/containers/traefik/certs/acme.json") == "600"
    assert (
        host.out("docker exec gotify cat /app/data/gotify.db; docker exec uptime-kuma cat /app/data/kuma.db")
        == "messages\nmonitors"
    )
    assert host.out("cat /opt/containers/homepage/config/logs/homepage.log") == "started"
    assert "kept" not in host.out("find /opt/containers")
    assert_whole(host)
    assert attempts(host)[-1]["intent"]["kind"] == "bootstrap"


def test_no_plain_text_stays_on_the_disk(host: LabHost, cockpits: dict[str, str]) -> None:
    assert host.out("readlink /opt/containers/traefik/.env") == "/run/cockpit/secrets/traefik/.env"
    assert TOKEN in host.out("cat /opt/containers/traefik/.env")
    # dockerd's own state has what is in an environment: env_secrets: allow says so
    assert host.out(f"grep -rl {TOKEN} /opt /root /etc /home /var/lib/cockpit /nix/store 2>/dev/null || true") == ""


def test_first_contact_is_made_once(controller: Controller, host: LabHost, cockpits: dict[str, str]) -> None:
    again = bootstrap(controller, "--yes")
    assert (again.code, "nothing to do" in again) == (0, True), again.out
    controller.homelab.write("containers/traefik/config/more.yaml", "x\n")
    controller.homelab.commit("more")
    other = bootstrap(controller, "--yes")
    assert other.code == 9 and "has cockpit already" in other, other.out
    controller.homelab.git("reset", "-q", "--hard", "HEAD~1")


def test_one_change_recreates_one_container(controller: Controller, host: LabHost, cockpits: dict[str, str]) -> None:
    before = containers(host)
    controller.homelab.write("containers/traefik/config/traefik.yaml", pipeline.CHANGED)
    controller.homelab.commit("a secure entry point")
    done = controller.deploy()
    assert done.code == 0, done.out
    after = containers(host)
    assert {name for name in after if after[name] != before.get(name)} == {"traefik"}
    assert host.out("docker exec traefik cat /etc/traefik/traefik.yaml") == pipeline.CHANGED.strip()
    assert_whole(host)


def test_a_sidecar_that_changes_is_a_change_of_its_service(
    controller: Controller, host: LabHost, cockpits: dict[str, str]
) -> None:
    before = containers(host)
    assert isinstance(controller.homelab, OldHomelab)
    controller.homelab.env("homepage", f"HOMEPAGE_PUID=1000\nAPP_KEY={APP_KEY}\n")
    controller.homelab.commit("another key that nothing uses")
    plan = controller.run("plan", "--headless")
    assert "homepage/.env changed" in plan and APP_KEY not in plan, plan.out
    assert controller.deploy().code == 0
    assert containers(host) == before
    controller.homelab.env("homepage", "HOMEPAGE_PUID=1001\n")
    controller.homelab.commit("another user")
    assert controller.deploy().code == 0
    after = containers(host)
    assert {name for name in after if after[name] != before[name]} == {"homepage"}
    assert host.out("docker exec homepage sh -c 'echo $PUID'") == "1001"


def test_back_to_what_first_contact_brought(controller: Controller, host: LabHost, cockpits: dict[str, str]) -> None:
    before = containers(host)
    done = controller.rollback("--to", "2")
    assert done.code == 0, done.out
    after = containers(host)
    assert {name for name in after if after[name] != before[name]} == {"homepage", "traefik"}
    assert host.out("docker exec traefik cat /etc/traefik/traefik.yaml") == "entry points: web"
    assert_whole(host)
    assert controller.run("resume", "--headless", "--yes").code == 0


def test_after_a_power_cut_everything_runs_again(controller: Controller, host: LabHost, cockpits: dict[str, str]) -> None:
    host.kill()
    host.start()
    names = "docker ps --format '{{.Names}}' | sort"
    assert set(host.out(names).split()) >= {"gotify", "homepage", "traefik", "uptime-kuma"}
    assert host.out("docker exec gotify cat /rules/one.txt") == "rule 1"
    assert host.out("find /opt/containers -name .cockpit-before") == ""
    assert_whole(host)


def test_a_project_that_ran_by_hand_joins_later(controller: Controller, host: LabHost, cockpits: dict[str, str]) -> None:
    """By a deploy: as it runs, from where it runs. One that fails lets it go again, running, with its own files."""
    assert controller.deploy().code == 0
    look = "find /srv/wiki -printf '%p %y %i %l\\n' | sort; cat /srv/wiki/compose.yaml"
    before, files = containers(host), host.out(look)
    homelab = controller.homelab
    homelab.write("containers/wiki/compose.yaml", WIKI)
    homelab.edit("cockpit.yaml", "projects: [", "projects: [wiki, ")
    homelab.edit("cockpit.yaml", "\nprojects:\n", "\nprojects:\n  wiki: {source: containers/wiki, directory: /srv/elsewhere}\n")
    homelab.commit("the wiki, from somewhere else")
    refused = controller.deploy()
    assert refused.code == 9 and "a project wiki runs already, from /srv/wiki" in refused, refused.out
    homelab.edit("cockpit.yaml", "directory: /srv/elsewhere", "directory: /srv/wiki")
    homelab.write("containers/uptime-kuma/compose.yaml", homelab.read("containers/uptime-kuma/compose.yaml") + "# new\n")
    homelab.edit("cockpit.yaml", "    timing:", '    health: [{http: "http://127.0.0.1:9/", status: 200}]\n    timing:')
    homelab.commit("the wiki, and a check that fails")
    failed = controller.deploy()
    assert failed.code == 5, failed.out
    assert (containers(host), host.out(look)) == (before, files)
    assert "wiki" not in host.out("cat /var/lib/cockpit/projects.json")
    homelab.edit("cockpit.yaml", '    health: [{http: "http://127.0.0.1:9/", status: 200}]\n', "")
    homelab.commit("the wiki")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert containers(host) == before
    assert "wiki" in host.out("cat /var/lib/cockpit/projects.json")
    assert_whole(host)


def test_leaving_gives_back_files_and_a_deploy_takes_them_again(
    controller: Controller, host: LabHost, cockpits: dict[str, str]
) -> None:
    assert controller.deploy().code == 0
    before = containers(host)
    said = json.loads(host.ssh("sudo /run/current-system/sw/bin/cockpit-transaction leave").stdout)
    assert said["plain"] == [f"/opt/containers/{name}/.env" for name in ("gotify", "homepage", "traefik")]
    assert host.out("find /opt/containers -type l -o -name '.cockpit*'") == ""
    assert host.out("stat -c %a /opt/containers/traefik/.env /opt/containers/gotify/rules/one.txt").split() == ["600", "644"]
    up = "docker compose -f $d/compose.yaml $([ ! -e $d/.env ] || echo --env-file $d/.env) up -d"
    host.exec(f"for d in /opt/containers/*; do {up} || exit 1; done")
    assert containers(host) == before
    controller.homelab.edit("cockpit.yaml", "stable: 1s", "stable: 2s")
    controller.homelab.commit("patience")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert containers(host) == before
    assert host.out("readlink /opt/containers/traefik/.env") == "/run/cockpit/secrets/traefik/.env"
    assert host.out("find /opt/containers -name '*kept*'") == ""
    assert_whole(host)


@pytest.mark.skipif(not (shutil.which("nix") and Path("/usr/bin/yq").exists()), reason="not installed: nix, yq")
def test_a_system_that_is_built_here_by_a_user_with_sudo(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a host without git: built on this machine, and what the host lacks is copied. By somebody who becomes root by sudo."""
    other = LabHost.create("lab-adopt-bare", 235, of_this_run("lab-adopt-bare"))
    try:
        made = pipeline.make(tmp_path / "repo", other)
        monkeypatch.setenv("NIX_CONFIG", "build-users-group =\nsandbox = false\nsubstituters =")
        there = Controller(other, made)
        other.exec(
            "useradd -m ada && cp -r /root/.ssh /home/ada/ && chown -R ada: /home/ada/.ssh && usermod -p '*' ada;"
            "echo 'ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada; rm -rf /root/.ssh"
        )
        who = ("--inventory", "--as", "ada", "--host-key", other.host_key)
        adopt = there.run("adopt", "--address", other.address, "--yes", *who)
        assert adopt.code == 0, adopt.out
        assert "lab-adopt-bare runs NixOS" in adopt
        made.edit("cockpit.yaml", "    projects: [", TIMING + "    projects: [")
        commit = made.commit("Deploy with cockpit")
        before = containers(other)
        shut = there.run("bootstrap", "nixos", "--headless", "--yes")
        assert shut.code == 3 and "does not let us in" in shut, shut.out
        done = there.run("bootstrap", "nixos", "--headless", "--yes", "--build-here", "--user", "ada")
        assert done.code == 0, done.out
        assert containers(other) == before
        assert there.run("plan", "--headless").code == 0
        assert other.out("git -C /var/lib/cockpit/repo.git for-each-ref --format='%(objectname)'") == commit
    finally:
        other.remove()
