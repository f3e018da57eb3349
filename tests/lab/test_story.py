"""The main job on a real host: deploy a commit, see it, deploy it again, roll it back, be refused."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.lab.controller import Controller, assert_whole, attempts, world
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

SECRET = "a-brand-new-plain-value"


def _ids(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {name: container for name, (_, container) in found.items()}


@pytest.fixture(scope="module")
def story(controller: Controller, host: LabHost, homelab: Homelab) -> dict[str, str]:
    """Commits by name. `second`: the flake, one image, one mounted file of another service of the same project, one secret."""
    first = homelab.git("rev-parse", "HEAD")
    homelab.edit(f"nix/hosts/{host.name}.nix", "marker one", "marker two")
    homelab.write("compose/paperless/compose.yaml", homelab.read("compose/paperless/compose.yaml").replace("app:1", "app:2", 1))
    homelab.edit("compose/paperless/broker.conf", "queues = 1", "queues = 2")
    homelab.encrypt(f"secrets/{host.name}/observe.yaml", f"gotify:\n  token: {SECRET}\n")
    second = homelab.commit("a little of everything [/markup]")
    return {"first": first, "second": second}


def test_first_generation_is_whole(host: LabHost, homelab: Homelab) -> None:
    assert_whole(host)


def test_deploy_recreates_exactly_what_changed(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    before = world(host)
    assert len(before.containers) == 10
    done = controller.deploy()
    assert done.code == 0, done.out
    after = assert_whole(host)
    changed = {name for name, container in _ids(after.containers).items() if _ids(before.containers).get(name) != container}
    assert changed == {"paperless/web", "paperless/broker", "observe/gotify"}
    assert after.commit == story["second"]
    assert after.containers["paperless/web"][0].endswith("app:2")
    assert host.out("docker exec paperless-broker-1 cat /etc/app/broker.conf") == "queues = 2"
    assert after.dockerd == before.dockerd
    # readable by the container's own user, which is not root
    assert host.out("docker exec observe-gotify-1 sh -c 'id -u; cat /run/secrets/gotify-token'").split() == ["1000", SECRET]
    assert SECRET not in done.out


def test_the_plain_text_is_on_no_disk(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    # every real file system of the host, its nested engine included; ramfs and proc are no disks
    search = f"grep -rlaF --exclude-dir=proc --exclude-dir=sys --exclude-dir=run {SECRET} / 2>/dev/null | head"
    assert host.out(search, timeout=300) == ""
    tmpfs = f"grep -rlaF --exclude-dir=cockpit {SECRET} /run /tmp 2>/dev/null | head"
    assert host.out(tmpfs) == ""
    mounted = host.out("findmnt -n -o FSTYPE -T /run/cockpit/secrets/observe/gotify-token")
    assert mounted == "ramfs"
    hits = [p for p in host.folder.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert not hits


def test_the_controller_never_has_the_plain_text(
    controller: Controller, host: LabHost, homelab: Homelab, story: dict[str, str]
) -> None:
    """Every system call of a deploy that brings a new value: nothing read, written, sent or opened holds it."""
    value = "seen-by-no-controller-7c1f"
    homelab.encrypt(f"secrets/{host.name}/observe.yaml", f"gotify:\n  token: {value}\n")
    homelab.commit("another token")
    trace = host.folder / "trace"
    calls = "trace=read,write,writev,sendto,sendmsg,recvfrom,recvmsg,openat,execve"
    argv = [
        "strace",
        "-f",
        "-qq",
        "-s",
        "65536",
        "-e",
        calls,
        "-o",
        str(trace),
        *controller.argv("deploy", "--headless", "--yes"),
    ]
    done = subprocess.run(
        argv,
        cwd=homelab.path,
        env=controller.environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = trace.read_bytes()
    assert b"execve" in seen and b"cockpit.yaml" in seen
    assert value.encode() not in seen
    assert host.out("docker exec observe-gotify-1 cat /run/secrets/gotify-token") == value
    trace.unlink()
    # what the tests after this one start from
    homelab.git("revert", "--no-edit", "HEAD")
    assert controller.deploy().code == 0


def test_same_commit_is_one_command_and_nothing_to_do(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    host.exec("journalctl --rotate -q; journalctl --vacuum-time=1s -q", check=False)
    mark = host.out("date +%s.%N; grep -c . /dev/null || true").split()[0]
    before = world(host)
    done = controller.run("deploy", "--headless", "--yes", "--output", "json")
    assert done.code == 0, done.out
    assert world(host) == before
    log = host.out(f"journalctl -u ssh --since=@{mark} -o cat")
    assert len(re.findall("Accepted publickey", log)) == 1, log
    assert "sudo" not in host.out(f"journalctl -t sudo --since=@{mark} -o cat")
    last = json.loads(done.out.splitlines()[-1])
    assert json.dumps(last).count("nothing to do") >= 1


def test_a_boot_folder_of_root_alone_does_not_slow_it_down(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    """NixOS mounts /boot for root only; what its loader starts next is written down for those who look."""
    host.exec("chmod 700 /boot; systemctl start cockpit-recover.service")
    mark = host.out("sleep 1; date +%s.%N")
    done = controller.deploy()
    host.exec("chmod 755 /boot")
    assert done.code == 0, done.out
    assert "cockpit :" not in host.out(f"journalctl -t sudo --since=@{mark} -o cat")


def test_a_stopped_service_is_something_to_do(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    host.exec("docker stop -t 0 home-homepage-1")
    plan = controller.run("plan", "--headless")
    assert plan.code == 10, plan.out
    assert "home/homepage" in plan
    done = controller.deploy()
    assert done.code == 0, done.out
    assert_whole(host)


def test_rollback_brings_everything_back_and_holds(controller: Controller, host: LabHost, story: dict[str, str]) -> None:
    done = controller.rollback("--to", "1")
    assert done.code == 0, done.out
    found = assert_whole(host)
    assert found.commit == story["first"]
    assert host.out("docker exec observe-gotify-1 cat /run/secrets/gotify-token") == "battery-staple-1"
    assert found.containers["paperless/web"][0].endswith("app:1")
    refused = controller.deploy()
    assert refused.code == 9, refused.out
    assert "held" in refused
    assert world(host) == found
    hold = attempts(host)[-1]["outcome"]["hold"]
    assert story["second"] in hold["abandoned"]


def test_a_revert_commit_may_pass_a_hold(controller: Controller, host: LabHost, homelab: Homelab, story: dict[str, str]) -> None:
    # one of each commit that the rollback left behind
    for commit in homelab.git("rev-list", f"{story['first']}..HEAD").split():
        homelab.git("revert", "--no-edit", commit)
    done = controller.deploy()
    assert done.code == 0, done.out
    assert_whole(host)


def test_resume_lifts_a_hold(controller: Controller, host: LabHost, homelab: Homelab, story: dict[str, str]) -> None:
    homelab.edit("compose/core/conf/dynamic.txt", "routers: 1", "routers: 7")
    homelab.commit("seven routers")
    assert controller.deploy().code == 0
    assert controller.rollback().code == 0
    assert controller.deploy().code == 9
    assert controller.run("resume", "--headless", "--yes").code == 0
    done = controller.deploy()
    assert done.code == 0, done.out
    assert_whole(host)


def test_services_come_and_go_and_dockerd_stays(controller: Controller, host: LabHost, homelab: Homelab) -> None:
    """Ten deploys: mounts with and without :ro, a service removed, one added, a one-shot that ends well."""
    pid = world(host).dockerd
    compose = homelab.read("compose/home/compose.yaml")
    for number in range(10):
        homelab.edit(
            "compose/paperless/data-template.txt", homelab.read("compose/paperless/data-template.txt"), f"seed {number}\n"
        )
        if number == 3:
            homelab.write(
                "compose/home/compose.yaml",
                compose + "  extra:\n    image: cockpit-lab/app:1\n    restart: always\n    command: [sleep, '100000']\n",
            )
        if number == 6:
            homelab.write("compose/home/compose.yaml", compose)
        homelab.commit(f"seed {number}")
        done = controller.deploy()
        assert done.code == 0, done.out
        found = world(host)
        assert found.dockerd == pid
        assert ("home/extra" in found.containers) == (3 <= number < 6)
        assert host.out("docker exec paperless-worker-1 cat /data/template.txt") == f"seed {number}"
    assert_whole(host)
    assert not host.out("systemctl --failed --no-legend --plain")


def test_an_evaluation_as_slow_as_a_real_one(controller: Controller, host: LabHost, homelab: Homelab) -> None:
    """Seconds of evaluation are paid once for a commit: the same one again is answered without any."""
    rounds = homelab.slow_evaluation(host.out, 5.0)
    commit = homelab.commit("evaluates for as long as a real NixOS")
    mark = host.out("date +%s.%N")
    done = controller.deploy()
    assert done.code == 0, done.out
    flake = f"git+file:///var/lib/cockpit/repo.git?ref=refs/cockpit/{commit}&rev={commit}&dir=nix"
    counted = host.out(
        f"export NIX_SHOW_STATS=1 NIX_SHOW_STATS_PATH=/tmp/stats GIT_CONFIG_GLOBAL=/run/cockpit/gitconfig; "
        f"nix eval --raw '{flake}#nixosConfigurations.{host.name}.config.system.build.toplevel.drvPath' >/dev/null; cat /tmp/stats"
    )
    assert json.loads(counted)["nrPrimOpCalls"] > rounds
    assert "cockpit-transaction build" in host.out(f"journalctl -t sudo --since=@{mark} -o cat")
    assert_whole(host)
    mark = host.out("sleep 1; date +%s.%N")
    again = controller.deploy()
    assert again.code == 0, again.out
    assert "sudo" not in host.out(f"journalctl -t sudo --since=@{mark} -o cat")
