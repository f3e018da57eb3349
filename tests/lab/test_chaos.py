"""Whatever dies on the way, what runs afterwards is one release, whole; the lock is free; the next deploy succeeds."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.lab.controller import Controller, Done, assert_whole, settle
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

PHASES = ("activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record")
QUICK = {"lock", "decide", "profile", "boot", "record"}
"""Phases too short to be met by chance: the shim holds them at their first sync."""
UNIT = "nixos-rebuild-switch-to-configuration.service"

SHIM = r"""#!/bin/bash
# Holds a phase of the transaction at its first sync while /run/lab/pause names it.
if [ -e /run/lab/pause ]; then
  phase=$(cat /run/lab/pause)
  events=$(ls -t /run/cockpit/runs/*/events 2>/dev/null | head -n 1)
  last=$(tail -n 1 "$events" 2>/dev/null)
  case "$last:$phase" in
    :lock | *"\"phase\":\"$phase\""*)
      touch /run/lab/paused
      for ((i = 0; i < 600; i++)); do [ -e /run/lab/pause ] || break; sleep 0.05; done ;;
  esac
fi
exec /usr/bin/sync "$@"
"""


@pytest.fixture(scope="module")
def shaken(controller: Controller, homelab: Homelab, host: LabHost) -> Homelab:
    """A host whose programs find the shim first, with deadlines of seconds."""
    host.exec(f"mkdir -p /opt/lab/bin && cat > /opt/lab/bin/sync <<'EOF'\n{SHIM}EOF\nchmod 755 /opt/lab/bin/sync")
    homelab.edit(
        f"nix/hosts/{host.name}.nix",
        "cockpit.root",
        'cockpit.tools = [ "/opt/lab" "/usr" ];\n  cockpit.root',
    )
    homelab.edit("cockpit.yaml", homelab.timing, "{wait: 20s, stable: 1s, revert_after: 40s}")
    homelab.commit("shim")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert_whole(host)
    return homelab


def change(homelab: Homelab) -> str:
    """A commit that changes a unit, an image, a mounted file and a secret."""
    number = time.monotonic_ns()
    name = homelab.host
    text = homelab.read(f"nix/hosts/{name}.nix")
    marker = next(line for line in text.splitlines() if "description = " in line)
    homelab.edit(f"nix/hosts/{name}.nix", marker, f'    description = "marker {number}";')
    homelab.write("compose/core/conf/dynamic.txt", f"routers: {number}\n")
    compose = homelab.read("compose/observe/compose.yaml")
    old, new = ("app:1", "app:2") if "app:1" in compose else ("app:2", "app:1")
    homelab.write("compose/observe/compose.yaml", compose.replace(old, new))
    homelab.encrypt(f"secrets/{name}/paperless.yaml", f"paperless:\n  db-password: value-{number}\n")
    return homelab.commit(f"change {number}")


def wait_for_phase(host: LabHost, phase: str) -> None:
    """Returns as soon as the newest run is in a phase; it is held there where the shim can."""
    seen = "/run/lab/paused" if phase in QUICK else ""
    host.exec(
        f"""
        for ((i = 0; i < 8000; i++)); do
          if [ -n "{seen}" ]; then [ -e "{seen}" ] && exit 0
          else
            for f in /run/cockpit/runs/*/events; do
              [ -r $f ] && while IFS= read -r l; do case $l in *'"event":"start","phase":"{phase}"'*) exit 0 ;; esac; done <$f
            done
          fi
          sleep 0.01
        done
        tail -n 5 /run/cockpit/runs/*/events; exit 1""",
        timeout=120,
    )


def arm(host: LabHost, phase: str) -> None:
    host.exec(
        f"rm -rf /run/cockpit/runs/* /run/lab/paused; mkdir -p /run/lab; rm -f /run/lab/pause; {f'echo {phase} >/run/lab/pause' if phase in QUICK else ':'}"
    )


def disarm(host: LabHost) -> None:
    host.exec("rm -f /run/lab/pause /run/lab/paused")


def kill_supervisor(host: LabHost) -> None:
    host.exec(f"systemctl kill -s KILL --kill-whom=main {UNIT}; rm -f /run/lab/pause", check=False)


def kill_host(host: LabHost) -> None:
    host.kill()
    host.start()


def verdict(host: LabHost, homelab: Homelab, first: subprocess.Popen[str], old: str, new: str) -> None:
    """One release, whole; what the controller was told is true; the next deploy succeeds."""
    out, _ = first.communicate(timeout=240)
    told = Done(first.returncode, out)
    disarm(host)
    settle(host)
    found = assert_whole(host)
    assert found.commit in (old, new)
    assert found.commit == new or told.code != 0, f"told 0, but the old release runs\n{out}"
    assert found.commit == old or told.code != 5, f"told 5, but the new release runs\n{out}"
    assert found.commit == old or told.code != 3, f"told that it never began, but the new release runs\n{out}"
    assert told.code in (0, 3, 5, 9, 11), out
    again = Controller(host, homelab, "again").deploy()
    assert again.code == 0, again.out
    assert assert_whole(host).commit == new


def test_locks_that_a_dead_git_left_stop_no_deploy(controller: Controller, shaken: Homelab, host: LabHost) -> None:
    """A power cut while the commit is received, or read by nix: git's lock files are of nobody any more."""
    commit = change(shaken)
    repo, settings = "/var/lib/cockpit/repo.git", "/run/cockpit/gitconfig.lock"
    host.exec(
        f"""
        mkdir -p {repo}/refs/cockpit
        touch {repo}/refs/cockpit/{commit}.lock {repo}/packed-refs.lock {repo}/config.lock {settings}
        touch {repo}/objects/pack/tmp_pack_dead && touch -d '2 days ago' {repo}/objects/pack/tmp_pack_old
        for cache in ~root/.cache/nix/git*/*/; do
          mkdir -p $cache/refs/cockpit && touch $cache/refs/cockpit/{commit}.lock $cache/packed-refs.lock
        done"""
    )
    done = controller.deploy()
    assert done.code == 0, done.out
    assert assert_whole(host).commit == commit
    left = host.out(f"cd {repo} && find . -name '*.lock'; find objects/pack -name 'tmp_*'")
    assert left.split() == ["objects/pack/tmp_pack_dead"]  # which may be another controller's


@pytest.mark.parametrize("kill", [kill_supervisor, kill_host])
@pytest.mark.parametrize("phase", ["lock", *PHASES])
def test_killed_in_each_phase(
    controller: Controller, shaken: Homelab, host: LabHost, phase: str, kill: Callable[[LabHost], None]
) -> None:
    old = assert_whole(host).commit
    new = change(shaken)
    arm(host, phase)
    first = controller.start("deploy", "--headless", "--yes")
    wait_for_phase(host, phase)
    kill(host)
    verdict(host, shaken, first, old, new)


@pytest.mark.parametrize("kill", [kill_supervisor, kill_host])
@pytest.mark.parametrize("way", ["revert", "finish"])
def test_killed_while_recovering(
    controller: Controller, shaken: Homelab, host: LabHost, way: str, kill: Callable[[LabHost], None]
) -> None:
    """The first kill starts a recovery; the second meets that one."""
    old = assert_whole(host).commit
    new = change(shaken)
    phase = "verify" if way == "revert" else "boot"
    arm(host, phase)
    first = controller.start("deploy", "--headless", "--yes")
    wait_for_phase(host, phase)
    host.exec(f"systemctl kill -s KILL --kill-whom=main {UNIT}; rm -f /run/lab/pause")
    # recovery activates and converges: seconds. A signal to the whole unit ends ExecStopPost too; the retry unit takes over.
    host.exec("for i in $(seq 400); do grep -qs recovery /run/cockpit/runs/*/events && exit 0; sleep 0.02; done; exit 1")
    if kill is kill_host:
        kill_host(host)
    else:
        host.exec(f"systemctl kill -s KILL {UNIT}", check=False)
    verdict(host, shaken, first, old, new)


def test_dockerd_dies_while_converging(controller: Controller, shaken: Homelab, host: LabHost) -> None:
    old = assert_whole(host).commit
    new = change(shaken)
    arm(host, "converge")
    first = controller.start("deploy", "--headless", "--yes")
    wait_for_phase(host, "converge")
    host.exec("systemctl kill -s KILL docker.service")
    verdict(host, shaken, first, old, new)


def test_controller_dies_and_attach_tells(controller: Controller, shaken: Homelab, host: LabHost) -> None:
    old = assert_whole(host).commit
    change(shaken)
    arm(host, "verify")
    first = controller.start("deploy", "--headless", "--yes")
    wait_for_phase(host, "verify")
    first.kill()
    first.communicate()
    run = host.out("ls -t /run/cockpit/runs | head -n 1")
    # nobody confirms: the host goes back by itself, and tells it to whoever asks
    other = Controller(host, shaken, "elsewhere")
    attached = other.run("attach", run[:7], timeout=240)
    assert attached.code in (0, 5), attached.out
    settle(host)
    found = assert_whole(host)
    assert (found.commit == old) == (attached.code == 5)
    assert other.deploy().code == 0


def test_random_deaths(controller: Controller, shaken: Homelab, host: LabHost) -> None:
    """A short version of the next one, for every run."""
    random_deaths(controller, shaken, host, 3)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_many_random_deaths(controller: Controller, shaken: Homelab, host: LabHost) -> None:
    """COCKPIT_CHAOS times, 30 in `make lab-chaos`."""
    random_deaths(controller, shaken, host, int(os.environ.get("COCKPIT_CHAOS", "30")))


def random_deaths(controller: Controller, shaken: Homelab, host: LabHost, times: int) -> None:
    """Something dies at a random moment of a deploy. COCKPIT_CHAOS_SEED repeats a run's choices."""
    seed = int(os.environ.get("COCKPIT_CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for number in range(times):
        old = assert_whole(host).commit
        new = change(shaken)
        arm(host, "none")
        victim = chance.choice(["supervisor", "host", "controller", "ssh", "dockerd"])
        moment = chance.uniform(0.3, 9.0)
        print(f"seed {seed}, {number + 1} of {times}: {victim} after {moment:.1f}s")
        first = controller.start("deploy", "--headless", "--yes")
        time.sleep(moment)
        if victim == "supervisor":
            kill_supervisor(host)
        elif victim == "host":
            kill_host(host)
        elif victim == "controller":
            first.kill()
        elif victim == "ssh":
            host.exec("pkill -KILL -u cockpit sshd; pkill -KILL -f sshd-session", check=False)
        else:
            host.exec("systemctl kill -s KILL docker.service", check=False)
        if victim == "controller":
            first.communicate()
            settle(host)
            found = assert_whole(host)
            assert found.commit in (old, new)
            again = controller.deploy()
            assert again.code == 0, again.out
        else:
            verdict(host, shaken, first, old, new)
