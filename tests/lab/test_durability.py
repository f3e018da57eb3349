"""The order of writes and syncs of a transaction (docs/transaction.md), asserted by strace: a killed container keeps its page
cache, so no kill can show what a missing sync would lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.lab.controller import Controller, assert_whole, settle
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost
from tests.lab.trace import CALLS, Call, Order, parse

UNIT = "nixos-rebuild-switch-to-configuration.service"
ATTEMPTS = "/var/lib/cockpit/attempts"
ROOTS = "/nix/var/nix/gcroots/cockpit"
STRACE = f"/usr/bin/strace -f -qq -y -s 200 -e trace={CALLS}"
SWITCH = "/bin/switch-to-configuration"


@pytest.fixture(scope="module")
def traced(host: LabHost, homelab: Homelab, controller: Controller) -> LabHost:
    """The transaction's unit runs below strace from now on, its ExecStopPost too."""
    host.exec(
        f"""mkdir -p /run/systemd/system/{UNIT}.d
        cat > /run/systemd/system/{UNIT}.d/trace.conf <<'EOF'
[Service]
ExecStart=
ExecStart={STRACE} -o /root/trace /bin/sh -c 'exec /run/current-system/sw/bin/cockpit-transaction supervise "$(ls -t /run/cockpit/runs | head -n 1)"'
ExecStopPost=
ExecStopPost={STRACE} -o /root/trace.stop /run/current-system/sw/bin/cockpit-transaction recover-here
EOF
        systemctl daemon-reload"""
    )
    homelab.edit("cockpit.yaml", homelab.timing, "{wait: 30s, stable: 1s, revert_after: 60s}")
    return host


def _deploy(controller: Controller, host: LabHost, code: int) -> tuple[list[Call], str]:
    """The supervisor's calls, and the attempt's name (SEQ-RUN)."""
    host.exec("rm -f /root/trace /root/trace.stop")
    done = controller.deploy()
    assert done.code == code, done.out
    settle(host)
    assert_whole(host)
    return parse(host.out("cat /root/trace")), host.out(f"ls {ATTEMPTS} | sort | tail -n 1")


def _begun(order: Order, attempt: str) -> int:
    """What must be on disk before the first change. Index of the activation."""
    run = attempt.partition("-")[2]
    activate = order.ran(SWITCH, "test")
    intent = order.first(
        "the intent", lambda c: c.name.startswith("rename") and c.texts[-1] == f"{ATTEMPTS}/{attempt}/intent.json"
    )
    for root in (f"{run}-old", f"{run}-new", f"{run}-boot"):
        order.durable_link(f"{ROOTS}/{root}", intent)
    made = order.first("the attempt's folder", lambda c: c.name == "mkdir" and c.texts[0] == f"{ATTEMPTS}/{attempt}")
    order.synced(ATTEMPTS, made, intent)
    order.durable_file(f"{ATTEMPTS}/{attempt}/intent.json", activate)
    return activate


def _closed(order: Order, attempt: str, after: int) -> None:
    """The record is whole, and on disk before the supervisor ends; it comes after profile and boot default."""
    order.durable_file(f"{ATTEMPTS}/{attempt}/outcome.json", len(order.calls), after)


def good(calls: Sequence[Call], attempt: str) -> set[int]:
    """A deploy that ends on the new release."""
    order = Order(calls)
    activate = _begun(order, attempt)
    up = order.ran("/docker", "compose", "up", after=activate)
    order.durable_file("/var/lib/cockpit/projects.json", up, activate)
    profile = order.ran("/nix-env", "--set", after=up)
    verified = order.last(
        "the last look at the containers", lambda c: c.name == "execve" and c.texts[0].endswith("/docker"), profile
    )
    order.synced(f"{ATTEMPTS}/{attempt}", verified, profile)
    boot = order.ran(SWITCH, "boot", after=profile)
    order.synced("/nix/var/nix/profiles", profile, boot, whole=True)
    record = order.first(
        "the record", lambda c: c.name.startswith("rename") and c.texts[-1] == f"{ATTEMPTS}/{attempt}/outcome.json", boot
    )
    order.synced("/boot", boot, record, whole=True)
    order.synced("/nix", boot, record, whole=True)
    _closed(order, attempt, boot)
    return order.relied


def reverted(calls: Sequence[Call], attempt: str) -> set[int]:
    """A release that fails its check: the decision is on disk before anything is turned back; profile and loader are not touched."""
    order = Order(calls)
    activate = _begun(order, attempt)
    back = order.ran(SWITCH, "test", after=activate)
    claimed = order.first(
        "the decision", lambda c: c.name.startswith("symlink") and c.texts[-1] == f"{ATTEMPTS}/{attempt}/decision"
    )
    assert calls[claimed].texts[0] == "reverted"
    order.synced(f"{ATTEMPTS}/{attempt}", claimed, back)
    programs = [c.texts for c in calls if c.name == "execve"]
    assert not [t for t in programs if t[0].endswith("/nix-env") or (t[0].endswith(SWITCH) and "boot" in t)]
    _closed(order, attempt, back)
    return order.relied


def abandoned(calls: Sequence[Call], attempt: str) -> set[int]:
    """A boot loader that cannot be set after the confirmation: the reason is on disk before anything is turned back."""
    order = Order(calls)
    _begun(order, attempt)
    profile = order.ran("/nix-env", "--set")
    failed = order.ran(SWITCH, "boot", after=profile)
    back = order.first(
        "the old profile",
        lambda c: c.name == "execve" and c.texts[0].endswith("/nix-env") and "--switch-generation" in c.texts,
        failed,
    )
    order.durable_file(f"{ATTEMPTS}/{attempt}/abandoned", back, failed)
    boot = order.ran(SWITCH, "boot", after=back)
    order.synced("/nix/var/nix/profiles", back, boot, whole=True)
    again = order.ran(SWITCH, "test", after=boot)
    order.synced("/boot", boot, again, whole=True)
    order.synced("/nix", boot, again, whole=True)
    _closed(order, attempt, again)
    return order.relied


def _relies_on_every_sync(check: Callable[[Sequence[Call], str], set[int]], calls: list[Call], attempt: str) -> None:
    """The check passes, and fails as soon as any sync that it relied on is not made."""
    relied = check(calls, attempt)
    assert len(relied) >= 7, sorted(str(calls[i]) for i in relied)
    for index in relied:
        same = [i for i, call in enumerate(calls) if str(call) == str(calls[index])]
        # one of the same kind nearby would do as well: without any of them the check has to fail
        with pytest.raises(AssertionError):
            check([call for i, call in enumerate(calls) if i not in same], attempt)


def test_a_deploy_syncs_before_it_goes_on(controller: Controller, traced: LabHost, homelab: Homelab) -> None:
    homelab.write("compose/core/conf/dynamic.txt", "routers: 2\n")
    homelab.commit("two routers")
    calls, attempt = _deploy(controller, traced, 0)
    _relies_on_every_sync(good, calls, attempt)
    # roots go only when the closed record is on disk
    stop = Order(parse(traced.out("cat /root/trace.stop")))
    gone = stop.first("the root of the old release", lambda c: c.name.startswith("unlink") and c.texts[-1].endswith("-old"))
    stop.synced(ATTEMPTS, 0, gone)


def test_a_revert_is_decided_on_disk_first(controller: Controller, traced: LabHost, homelab: Homelab) -> None:
    homelab.edit("compose/core/compose.yaml", "/dynamic.txt", "/not-there.txt")
    homelab.commit("unhealthy")
    calls, attempt = _deploy(controller, traced, 5)
    homelab.git("revert", "--no-edit", "HEAD")
    _relies_on_every_sync(reverted, calls, attempt)


def test_a_confirmed_release_is_abandoned_on_disk_first(controller: Controller, traced: LabHost, homelab: Homelab) -> None:
    host_file = f"nix/hosts/{homelab.host}.nix"
    homelab.edit(host_file, "networking.hostName", "lab.exit = { boot = 1; };\n  networking.hostName")
    homelab.commit("no boot loader")
    calls, attempt = _deploy(controller, traced, 5)
    homelab.git("revert", "--no-edit", "HEAD")
    _relies_on_every_sync(abandoned, calls, attempt)


def test_a_confirmation_is_on_disk_before_it_is_acknowledged(controller: Controller, traced: LabHost, homelab: Homelab) -> None:
    """`confirm` comes over ssh: everything below sshd is watched. A controller that sees the decision in the events first hangs
    up, and may take the answer with it: then another deploy is watched."""
    for routers in (3, 4, 5):
        homelab.write("compose/core/conf/dynamic.txt", f"routers: {routers}\n")
        homelab.commit(f"{routers} routers")
        traced.exec(
            "strace -f -qq -y -s 200 -e trace=symlinkat,fsync,write -o /root/trace.ssh -p $(systemctl show -p MainPID --value ssh) "
            ">/dev/null 2>&1 & echo $! >/root/strace.pid; for i in $(seq 100); do grep -q 'TracerPid:[[:space:]]*[1-9]' "
            "/proc/$(systemctl show -p MainPID --value ssh)/status && exit 0; sleep 0.05; done; exit 1"
        )
        _, attempt = _deploy(controller, traced, 0)
        traced.exec(
            "for i in $(seq 200); do pgrep -f '[c]ockpit-transaction confirm' >/dev/null || exit 0; sleep 0.05; done; exit 1"
        )
        traced.exec("kill -INT $(cat /root/strace.pid); while kill -0 $(cat /root/strace.pid) 2>/dev/null; do sleep 0.05; done")
        order = Order(
            parse(traced.out("grep -aE 'decision|fsync|attempts|unfinished|resumed' /root/trace.ssh", timeout=60), failed=True)
        )
        decision = f"{ATTEMPTS}/{attempt}/decision"
        texts = ("confirmed", decision)
        claimed = order.first("the decision", lambda c, texts=texts: c.name == "symlinkat" and c.texts == texts)  # type: ignore[misc]
        if order.has(_answers, claimed):
            order.synced(f"{ATTEMPTS}/{attempt}", claimed, order.first("the answer", _answers, claimed))
            return
    pytest.fail("no answer was written in three deploys")


def _answers(call: Call) -> bool:
    return call.name == "write" and "decision" in call.texts[0] and "confirmed" in call.texts[0]
