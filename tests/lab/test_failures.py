"""Each way to fail: its exit code, a message with what, why and hint, and nothing half-done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.controller import Controller, World, assert_whole, attempts, settle, world
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost


@pytest.fixture(scope="module")
def short(homelab: Homelab, controller: Controller) -> str:
    """Deadlines of a few seconds, deployed; the commit that every test starts from."""
    homelab.edit("cockpit.yaml", homelab.timing, "{wait: 12s, stable: 1s, revert_after: 15s}")
    commit = homelab.commit("short deadlines")
    done = controller.deploy()
    assert done.code == 0, done.out
    return commit


@pytest.fixture
def before(
    request: pytest.FixtureRequest, controller: Controller, host: LabHost, homelab: Homelab, short: str
) -> Iterator[World]:
    """The world before; afterwards the repository is what it was, and the host whole."""
    try:
        found = assert_whole(host)
    except AssertionError:
        if not request.session.testsfailed:  # a test that passed leaves nothing behind
            raise
        # one that failed is not to fail those that come after it
        controller.deploy("--allow-rewind")
        found = assert_whole(host)
    yield found
    homelab.git("reset", "-q", "--hard", short)


def _host_file(homelab: Homelab) -> str:
    return f"nix/hosts/{homelab.host}.nix"


def _fault(homelab: Homelab, fault: str) -> str:
    homelab.edit(_host_file(homelab), 'text = "one"', 'text = "faulty"')
    homelab.edit(_host_file(homelab), "networking.hostName", f"lab.exit = {fault};\n  networking.hostName")
    return homelab.commit(f"fault {fault}")


def _told(out: str, *words: str) -> None:
    assert "✕" in out and "hint:" in out, out
    for word in words:
        assert word in out, out


def test_wrong_host_key(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    homelab.edit("cockpit.yaml", homelab.host_key, other)
    homelab.commit("another key")
    done = controller.deploy()
    assert done.code == 3, done.out
    _told(done.out, "not the host that is pinned", "SHA256:")
    assert world(host) == before


def test_unreachable_host(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit("cockpit.yaml", f"address: {homelab.address}", f"address: {homelab.address}:2")
    homelab.commit("another port")
    done = controller.deploy()
    assert done.code == 3, done.out
    _told(done.out, "cannot be reached")
    assert world(host) == before


def test_syntax_error_in_the_flake(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit(_host_file(homelab), "networking.hostName", "oops = ;\n  networking.hostName")
    homelab.commit("syntax")
    done = controller.deploy()
    assert done.code == 4, done.out
    _told(done.out, "the build failed", f"nix/hosts/{homelab.host}.nix:")
    assert world(host) == before


def test_unknown_option(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit(_host_file(homelab), "networking.hostName", "services_typo.x = 1;\n  networking.hostName")
    homelab.commit("option")
    done = controller.deploy()
    assert done.code == 4, done.out
    _told(done.out, "services_typo")
    assert world(host) == before


def test_undecryptable_secret(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    stranger = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    homelab.encrypt(f"secrets/{homelab.host}/observe.yaml", "gotify:\n  token: nobody-reads-this\n", recipient=stranger)
    homelab.commit("for a stranger")
    done = controller.deploy()
    assert done.code == 8, done.out
    _told(done.out, "observe/gotify-token", "recipient")
    assert world(host) == before


def test_plain_secret(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.write(f"secrets/{homelab.host}/observe.yaml", "gotify:\n  token: plain-and-simple\n")
    homelab.commit("plain")
    done = controller.deploy()
    assert done.code == 8, done.out
    _told(done.out, "plain text")
    assert "plain-and-simple" not in done.out
    assert world(host) == before


def test_compose_error(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit("compose/home/compose.yaml", "restart: unless-stopped", "restart: unless-stopped\n    no_such_key: 1")
    homelab.commit("compose")
    done = controller.deploy()
    assert done.code == 4, done.out
    _told(done.out, "project home", "no_such_key")
    assert world(host) == before


def test_compose_that_does_not_parse(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.write("compose/home/compose.yaml", "services: {homepage: [")
    homelab.commit("yaml")
    done = controller.deploy()
    assert done.code == 4, done.out
    _told(done.out, "compose/home/compose.yaml does not parse")
    assert world(host) == before


def test_missing_image(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit("compose/home/compose.yaml", "app:1", "nobody-has-this:1")
    homelab.commit("image")
    done = controller.deploy()
    assert done.code == 4, done.out
    _told(done.out, "nobody-has-this:1 cannot be had")
    assert world(host) == before


def test_secret_in_the_environment(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit(
        "compose/home/compose.yaml", "restart: unless-stopped", "restart: unless-stopped\n    environment: {DB_PASSWORD: hunter2}"
    )
    homelab.commit("environment")
    done = controller.deploy()
    assert done.code == 9, done.out
    _told(done.out, "DB_PASSWORD", "env_secrets: allow")
    assert "hunter2" not in done.out
    assert world(host) == before


def _same_but_recreated(host: LabHost, before: World) -> None:
    """Reverted: the same release, whole. Containers that were touched on the way may be new ones."""
    settle(host)
    found = assert_whole(host)
    assert (found.running, found.commit, found.db_password, found.web_conf) == (
        before.running,
        before.commit,
        before.db_password,
        before.web_conf,
    )
    assert {n: i for n, (i, _) in found.containers.items()} == {n: i for n, (i, _) in before.containers.items()}


def test_unhealthy_service(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit("compose/core/compose.yaml", "/dynamic.txt", "/not-there.txt")
    homelab.commit("unhealthy")
    done = controller.deploy()
    assert done.code == 5, done.out
    _told(done.out, "core/traefik", "unhealthy")
    _same_but_recreated(host, before)


def test_crash_loop_without_a_health_check(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    text = homelab.read("compose/home/compose.yaml")
    homelab.write(
        "compose/home/compose.yaml",
        text.replace('command: ["sh", "-c", "trap', 'command: ["sh", "-c", "sleep 0.3; exit 3; trap', 1),
    )
    homelab.commit("crash loop")
    done = controller.deploy()
    assert done.code == 5, done.out
    _told(done.out, "home/homepage")
    _same_but_recreated(host, before)


def test_neither_release_can_be_made_whole(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    """Exit 6 stays until somebody mends it; a deploy goes over it, back to where the first one should have gone back to."""
    text = homelab.read("compose/home/compose.yaml")

    def checked(flag: str, start: str = "true") -> str:
        """A service that is healthy while a file is there which no release brings."""
        homelab.write(
            "compose/home/compose.yaml",
            f"""{text}  flagged:
    image: cockpit-lab/app:1
    restart: always
    command: [sh, -c, '{start}; exec sleep 100000']
    volumes: ['/var/lib/flags:/flags']
    healthcheck: {{test: test -e /flags/{flag}, interval: 1s, retries: 2, start_period: 0s}}
""",
        )
        return homelab.commit(f"needs {flag}")

    host.exec("mkdir -p /var/lib/flags; touch /var/lib/flags/one")
    first = checked("one")
    assert (done := controller.deploy()).code == 0, done.out

    # fails, and takes away what the one that it would go back to needs
    checked("two", "rm -f /flags/one")
    done = controller.deploy()
    assert done.code == 6, done.out
    _told(done.out, "home/flagged")
    assert host.exec("test -s /var/lib/cockpit/RESCUE.txt", check=False).returncode == 0

    # one that fails as well goes over it, and ends where the first one ended
    checked("three")
    done = controller.deploy()
    assert done.code == 6, done.out
    assert "goes over it" in done.out
    older, newest = attempts(host)[-2:]
    assert older["outcome"]["result"] == "superseded" and older["outcome"]["exit"] == 6
    assert newest["outcome"] is None and newest["intent"]["old"]["commit"] == first

    # one that mends it closes all of it
    homelab.write("compose/home/compose.yaml", text)
    homelab.commit("no flags")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert_whole(host)
    assert host.exec("test -e /var/lib/cockpit/RESCUE.txt", check=False).returncode == 1
    assert [a for a in attempts(host) if a["outcome"] is None] == []

    # the others start from where this one did
    homelab.git("reset", "-q", "--hard", before.commit)
    done = controller.deploy("--allow-rewind")
    assert done.code == 0, done.out


def test_failing_health_check_of_the_host(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    homelab.edit("cockpit.yaml", "health: []", 'health: [{http: "http://127.0.0.1:9/"}]')
    homelab.commit("health")
    done = controller.deploy()
    assert done.code == 5, done.out
    _told(done.out, "http://127.0.0.1:9/")
    _same_but_recreated(host, before)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("{ test = 1; }", 9, "(1)"),
        ("{ test = 2; }", 5, "(2)"),
        ("{ test = 4; }", 5, "(4)"),
        ("{ test = 100; }", 9, "(100)"),
        ("{ test = 101; }", 5, "(101)"),
        ("{ dry-activate = 100; }", 9, "reboot"),
        ("{ boot = 1; }", 5, "boot loader"),
        ('{ test = "hang"; }', 5, "deadline"),
    ],
)
def test_activation_fails(
    controller: Controller, homelab: Homelab, host: LabHost, before: World, fault: str, code: int, words: str
) -> None:
    _fault(homelab, fault)
    done = controller.deploy()
    assert done.code == code, done.out
    assert words in done.out, done.out
    _same_but_recreated(host, before)


def test_activation_that_cuts_the_network(controller: Controller, homelab: Homelab, host: LabHost, before: World) -> None:
    _fault(homelab, '{ test = "cut-network"; }')
    done = controller.deploy()
    assert done.code == 5, done.out
    assert "no new connection" in done.out, done.out
    assert host.ssh("true").returncode == 0
    _same_but_recreated(host, before)


def test_second_controller(controller: Controller, homelab: Homelab, host: LabHost, short: str) -> None:
    homelab.edit("compose/core/conf/dynamic.txt", "routers", "# slow\nrouters")
    homelab.edit("cockpit.yaml", "stable: 1s", "stable: 6s")
    homelab.commit("slow")
    first = controller.start("deploy", "--headless", "--yes")
    host.exec(
        "for i in $(seq 300); do systemctl is-active -q nixos-rebuild-switch-to-configuration && exit 0; sleep 0.1; done; exit 1"
    )
    second = Controller(host, homelab, "two").deploy()
    assert second.code == 7, second.out
    _told(second.out, "locked", "ada")
    out, _ = first.communicate(timeout=120)
    assert first.returncode == 0, out
    assert_whole(host)
    assert Controller(host, homelab, "two").deploy().code == 0
    homelab.git("revert", "--no-edit", "HEAD")
    assert controller.deploy().code == 0
    # what the other tests start from
    homelab.git("commit", "-q", "--allow-empty", "-m", "go on")
    assert controller.deploy().code == 0
    assert [a for a in attempts(host) if a["outcome"] is None] == []


def test_full_disk_while_sending(controller: Controller, homelab: Homelab, host: LabHost) -> None:
    assert_whole(host)
    homelab.write("compose/core/conf/big.bin.txt", "".join(f"{i * 2654435761 % 2**32:08x}" for i in range(200_000)))
    homelab.commit("big")
    host.exec("mount -t tmpfs -o size=40k full /var/lib/cockpit/repo.git/objects/pack")
    done = controller.deploy()
    host.exec("umount /var/lib/cockpit/repo.git/objects/pack")
    assert done.code == 4, done.out
    _told(done.out, "could not be sent")
    assert_whole(host)


def test_full_disk_for_the_attempt(controller: Controller, homelab: Homelab, host: LabHost) -> None:
    found = assert_whole(host)
    host.exec("cp -a /var/lib/cockpit/attempts /tmp/a; mount -t tmpfs -o size=400k full /var/lib/cockpit/attempts; cp -a /tmp/a/. /var/lib/cockpit/attempts/; "
              "dd if=/dev/zero of=/var/lib/cockpit/attempts/zz bs=1k 2>/dev/null; true")  # fmt: skip
    done = controller.deploy()
    host.exec("umount /var/lib/cockpit/attempts")
    assert done.code == 5, done.out
    assert world(host) == found
    assert controller.deploy().code == 0
    assert_whole(host)
