"""The reference homelab from nothing, as README says it: `cockpit init`, a guest by OpenTofu, first contact, a push that deploys
through the shipped workflow, a change of one service, and back. Real host, real sops, real tofu, real act, real Traefik.

What only the lab needs is one commit on top of what init made: stand-ins for nixpkgs and for images, short deadlines, and a
certificate, since no authority can be reached. The host is as an installer leaves it: the same system, without cockpit.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.readme import commands
from tests.lab import standins
from tests.lab.act import Act
from tests.lab.controller import Controller, Done, assert_whole
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost
from tests.lab.shipped import stand_in_lock
from tests.lab.test_keyboard import Terminal
from tests.standin.cluster import Cluster, serving
from tests.standin.run import Tofu

NAME = "homelab"
DOMAIN = "home.example.org"
TAILNET = "100.64.0.7"
"""Of the host, in a tailnet that it is not in."""
OWN_TOKEN = ("cockpit@pve!cockpit", "7b1d9c3e-2f4a-4c6b-8d0e-1a2b3c4d5e6f")
TOKEN = ("tofu@pve!homelab", "0f6b7a52-3c1d-4e8f-9a2b-5d4c3b2a1908")
SERVICES = {
    *("socket-proxy/socket-proxy", "traefik/traefik", "gotify/gotify", "watchtower/watchtower", "dozzle/dozzle"),
    *("homepage/homepage", "uptime-kuma/uptime-kuma", "uptime-kuma/autokuma", "uptime-kuma/account"),
}
ran: set[str] = set()


def readme(start: str) -> list[str]:
    """The words of README's command that begins so, which is then one that ran."""
    found = next(command for command in commands() if command == start or (" " in start and command.startswith(f"{start} ")))
    ran.add(found)
    return found.split()


@dataclass
class Person(Controller):
    """Whoever follows README, with what it leaves to them as options."""

    def readme(self, start: str, *options: str) -> Done:
        return self.run(*readme(start)[1:], *options, timeout=600)


@pytest.fixture(scope="module")
def pve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with serving(tmp_path_factory.mktemp("pve")) as cluster:
        cluster.admit(*OWN_TOKEN)
        yield cluster


@pytest.fixture(scope="module")
def homelab(host: LabHost, pve: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    """What `cockpit init` makes."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "id").write_text(TOKEN[0])
    (folder / "secret").write_text(TOKEN[1])
    (folder / "own").write_text(OWN_TOKEN[1])
    person = Person(host, Homelab(folder, NAME, host.address, host.host_key))
    done = person.readme(
        "cockpit init",
        *("--yes", "--host", NAME, "--address", host.address, "--host-key", host.host_key, "--tailnet-ip", TAILNET),
        *("--domain", DOMAIN, "--email", "you@example.org", "--timezone", "Europe/Berlin"),
        *("--ssh-key", str(host.key.with_suffix(".pub")), "--author", "ada <ada@example.org>", "--i-stored-the-recovery-key"),
        *("--proxmox", f"https://{pve.address}", "--proxmox-fingerprint", pve.fingerprint, "--node", "pve1"),
        *("--set", f"tofu-token-id=@{folder / 'id'}", "--set", f"tofu-token-secret=@{folder / 'secret'}"),
        *("--set", f"proxmox-token-secret=@{folder / 'own'}"),
    )
    assert done.code == 0, done.out
    ran.add("cd homelab")
    return Homelab(folder / "homelab", NAME, host.address, host.host_key)


@pytest.fixture(scope="module")
def person(host: LabHost, homelab: Homelab) -> Person:
    return Person(host, homelab)


@pytest.fixture(scope="module")
def adapted(host: LabHost, homelab: Homelab) -> Homelab:
    """What only the lab needs. Services wait for the push: `projects:` is empty until then."""
    host.exec(f"ip address add {TAILNET}/32 dev lo")
    stand_in_lock(homelab.path, host)
    compose = homelab.path / "compose"
    local = standins.ensure(standins.references(compose))
    host.load_images(*sorted(set(local.values())))
    standins.write_locks(compose, local, int(host.out("stat -c %g /var/run/docker.sock")))
    (host.folder / "authority.pem").write_text(standins.write_certificate(compose, DOMAIN))
    homelab.edit("cockpit.yaml", "{wait: 180s, stable: 15s, revert_after: 600s}", "{wait: 120s, stable: 2s, revert_after: 300s}")
    homelab.edit(
        "cockpit.yaml", "      - {unit: sshd.service}\n      - {unit: tailscaled.service}\n", "      - {unit: ssh.service}\n"
    )
    homelab.commit("lab: stand-ins for nixpkgs and for images")
    return homelab


@pytest.fixture(scope="module")
def contacted(host: LabHost, adapted: Homelab, person: Person) -> Homelab:
    """A host that an installer left, after `cockpit bootstrap`."""
    line = "  cockpit.root = ../../..;\n"
    adapted.edit("nix/hosts/homelab/default.nix", line, f"{line}  cockpit.enable = false;\n")
    projects = next(text for text in adapted.read("cockpit.yaml").splitlines() if text.startswith("    projects: ["))
    health = adapted.read("cockpit.yaml").split("      - {unit: ssh.service}\n")[1].split("\nprojects:")[0]
    adapted.edit("cockpit.yaml", projects, "    projects: []")
    adapted.edit("cockpit.yaml", health, "")
    adapted.commit("the machine as it is installed")
    host.install(adapted)
    assert host.exec("test -e /run/current-system/sw/bin/cockpit-transaction", check=False).returncode != 0
    adapted.edit("nix/hosts/homelab/default.nix", "  cockpit.enable = false;\n", "")
    adapted.commit("with cockpit")
    done = person.readme("cockpit bootstrap")
    assert done.code == 0, done.out
    adapted.edit("cockpit.yaml", "    projects: []", projects)
    adapted.edit("cockpit.yaml", "      - {unit: ssh.service}\n", f"      - {{unit: ssh.service}}\n{health}")
    return adapted


@pytest.fixture(scope="module")
def act(contacted: Homelab, host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Act:
    """GitHub, as docs/ci.md says that it is set up."""
    return Act(
        contacted.path,
        tmp_path_factory.mktemp("act"),
        variables={
            "DEPLOY_HOST": host.address,
            "SSH_KNOWN_HOSTS": host.known_hosts.read_text().strip(),
            "APPROVE_HOSTS": NAME,
            "TS_CLIENT_ID": "client",
            "TS_AUDIENCE": "audience",
        },
        secrets={"DEPLOY_SSH_KEY": host.key.read_text()},
    )


@pytest.fixture(scope="module")
def deployed(act: Act, contacted: Homelab) -> Act:
    contacted.commit("all services")
    job = act.push()
    assert job.succeeded, job.log
    assert job.outputs["result"] == "done" and job.outputs["changed"] == "true"
    return act


def states(host: LabHost) -> dict[str, str]:
    """project/service -> `running healthy`."""
    told = host.out(
        """docker inspect $(docker ps -aq) --format '{{index .Config.Labels "com.docker.compose.project"}}/{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.ExitCode}}{{end}}'"""
    )
    return dict(line.split(" ", 1) for line in told.splitlines())


# ---- what init made --------------------------------------------------------------------------------------------------


def test_init_made_a_homelab(homelab: Homelab, person: Person) -> None:
    assert homelab.git("log", "--format=%s").splitlines()[-1] == "A homelab, made by cockpit init"
    assert person.run("config", "check").code == 0


def test_doctor_finds_nothing_that_is_broken(homelab: Homelab, person: Person) -> None:
    done = person.readme("cockpit doctor", "--offline", "--output", "json")
    findings = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    broken = [f for f in findings if f.get("level") == "fail"]
    assert findings and not broken, broken


def test_tofu_makes_its_guest(homelab: Homelab, person: Person, pve: Cluster, tmp_path: Path) -> None:
    identity = Path(person.environment["XDG_CONFIG_HOME"]) / "sops/age/keys.txt"
    with Tofu(homelab.path / "tofu", pve, tmp_path / "work", identity=identity) as tofu:
        tofu.init()
        planned = tofu.plan()
        assert planned.code == 2 and set(planned.changes.values()) == {"create"}, planned.text
        applied = tofu.apply()
        assert applied.code == 0, applied.text
        assert pve.guest(NAME).status == "running"
        assert tofu.plan().code == 0
        assert TOKEN[1].encode() not in tofu.state.read_bytes()


# ---- the pipeline ----------------------------------------------------------------------------------------------------


def test_first_contact_leaves_the_rest_to_the_push(contacted: Homelab, host: LabHost) -> None:
    assert host.out("docker ps -aq") == ""
    assert host.out("docker network inspect -f '{{.Internal}}' socket") == "true"


def test_a_push_brings_everything_up_healthy(deployed: Act, host: LabHost, contacted: Homelab) -> None:
    assert assert_whole(host).commit == contacted.git("rev-parse", "HEAD")
    found = states(host)
    assert set(found) == SERVICES
    assert found.pop("uptime-kuma/account") == "exited 0"
    assert set(found.values()) == {"running healthy"}, found


def test_traefik_serves_each_name(deployed: Act, host: LabHost) -> None:
    host.exec("cat >/root/authority.pem", stdin=(host.folder / "authority.pem").read_text())

    def status(name: str, scheme: str = "https") -> str:
        return host.out(
            f"curl -s -o /dev/null --max-time 10 --cacert /root/authority.pem -w '%{{http_code}}' "
            f"--resolve {name}:443:{TAILNET} --resolve {name}:80:{TAILNET} {scheme}://{name}/"
        )

    names = {name: status(name) for name in (DOMAIN, f"gotify.{DOMAIN}", f"logs.{DOMAIN}", f"status.{DOMAIN}")}
    assert set(names.values()) == {"200"}, names
    assert status(f"traefik.{DOMAIN}") == "401"
    assert status(DOMAIN, "http") in ("301", "308")


@pytest.mark.parametrize("size", [(160, 50), (80, 24)], ids=["160x50", "80x24"])
def test_overview_is_green(deployed: Act, person: Person, pve: Cluster, size: tuple[int, int]) -> None:
    assert pve.guest(NAME).status == "running"
    terminal = Terminal(shlex.join(person.argv(*readme("cockpit")[1:])), person.environment, str(person.homelab.path), size)
    try:
        terminal.wait("1 host, all well", 60)
        terminal.wait(f"{len(SERVICES)} services, all well", 60)
        # every layer, the cluster with the guest that tofu made among them
        shown = terminal.wait("all is well", 60)
        assert not set("✕▲◌≠") & set(shown.split("Releases")[0].split("Overview")[1]), shown
    finally:
        terminal.end()


def test_a_change_recreates_that_service_alone(deployed: Act, host: LabHost, contacted: Homelab, person: Person) -> None:
    before = assert_whole(host)
    contacted.edit("compose/homepage/config/settings.yaml", "title:", "# changed\ntitle:")
    commit = contacted.commit("homepage: another title")
    planned = person.readme("cockpit plan")
    assert planned.code == 10 and "homepage/homepage" in planned.out, planned.out
    job = deployed.push()
    assert job.succeeded, job.log
    after = assert_whole(host)
    assert after.commit == commit
    assert {name for name in SERVICES if before.containers[name] != after.containers[name]} == {"homepage/homepage"}
    assert after.dockerd == before.dockerd


def test_a_rollback_takes_it_back(deployed: Act, host: LabHost, contacted: Homelab, person: Person) -> None:
    before = assert_whole(host)
    done = person.readme("cockpit rollback")
    assert done.code == 0, done.out
    after = assert_whole(host)
    assert after.commit == contacted.git("rev-parse", "HEAD~1")
    assert {name for name in SERVICES if before.containers[name] != after.containers[name]} == {"homepage/homepage"}
    # the next push does not undo it
    assert not deployed.push().succeeded
    assert assert_whole(host).commit == after.commit


def test_a_deploy_by_hand(deployed: Act, host: LabHost, contacted: Homelab, person: Person) -> None:
    contacted.git("revert", "--no-edit", "HEAD")
    done = person.readme("cockpit deploy")
    assert done.code == 0, done.out
    assert assert_whole(host).commit == contacted.git("rev-parse", "HEAD")


# ---- README ----------------------------------------------------------------------------------------------------------


def test_every_command_of_readme_ran(deployed: Act) -> None:
    """Last of the file: those of `make` are run by tests/e2e/test_readme.py."""
    assert [command for command in commands() if not command.startswith("make ") and command not in ran] == []
