"""The shipped flake on a lab host: built there as it is, deployed to, and left again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.controller import Controller
from tests.lab.homelab import TOP, Homelab
from tests.lab.host import LabHost
from tests.lab.shipped import shipped

CONTAINERS = "docker ps -a --no-trunc --format '{{.Names}} {{.ID}}' | sort"
STARTED = "docker inspect -f '{{.State.StartedAt}} {{.State.Pid}}' web-web-1"


@pytest.fixture(scope="module")
def homelab(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    made = shipped(Path(tmp_path_factory.mktemp("shipped")) / "repo", host)
    host.install(made)
    return made


def engine(host: LabHost) -> dict[str, str]:
    """What must stay as it is: the daemon, containers, networks and volumes."""
    return {
        "daemon": host.out("pidof dockerd"),
        "containers": host.out(CONTAINERS),
        "started": host.out(STARTED),
        "networks": host.out("docker network ls --no-trunc --format '{{.Name}} {{.ID}}' | sort"),
        "mounted": host.out("docker exec web-web-1 sh -c 'cat /etc/page.txt /run/secrets/token'"),
    }


def test_only_the_lock_and_the_site_differ_from_what_is_shipped(homelab: Homelab, host: LabHost) -> None:
    for path in sorted((TOP / "nix").rglob("*")):
        name = path.relative_to(TOP).as_posix().replace("hosts/homelab", f"hosts/{host.name}")
        if path.is_file() and path.name not in ("flake.lock", "site.nix"):
            assert (homelab.path / name).read_bytes() == path.read_bytes(), name


def test_the_host_runs_the_commit(homelab: Homelab, host: LabHost) -> None:
    commit = homelab.git("rev-parse", "HEAD")
    manifest = json.loads(host.out("cat /run/current-system/cockpit/manifest.json"))
    assert (manifest["host"], manifest["commit"], list(manifest["projects"])) == (host.name, commit, ["web"])
    assert host.out("/run/current-system/sw/bin/nixos-version --configuration-revision") == commit
    assert host.out("readlink -f /run/current-system") == host.out("readlink -f /nix/var/nix/profiles/system")
    sudoers = host.out("cat /etc/static/sudoers.d/nixos")
    rule = "cockpit ALL=(root) NOPASSWD: /run/current-system/sw/bin/cockpit-transaction"
    assert sudoers.splitlines() == [rule, "%wheel ALL=(ALL:ALL) NOPASSWD: ALL"]
    units = host.out("ls /etc/static/systemd/system").split()
    assert {"cockpit-secrets.service", "cockpit-converge.service", "cockpit-recover.timer", "docker-networks.service"} <= set(
        units
    )
    assert (
        host.out("systemctl is-active cockpit-secrets cockpit-converge docker-networks cockpit-recover.timer").split()
        == ["active"] * 4
    )


def test_the_shared_networks_are_there_before_the_projects(host: LabHost) -> None:
    for name, internal in (("proxy", "false"), ("socket", "true")):
        assert host.out(f"docker network inspect -f '{{{{.Internal}}}}' {name}") == internal
    assert host.out("docker exec web-web-1 sh -c 'id -u; cat /etc/page.txt /run/secrets/token'").split() == [
        "1000",
        "one",
        "correct-horse",
    ]


def test_the_keys_of_the_site_open_the_accounts(host: LabHost) -> None:
    assert host.ssh("id -un").stdout.strip() == "cockpit"
    assert host.ssh("id -un", user="admin").stdout.strip() == "admin"


def test_the_image_is_built_by_its_address(homelab: Homelab, host: LabHost) -> None:
    flake = host.checkout(homelab)
    out = host.out(f"nix build --no-link --print-out-paths '{flake}#image-{host.name}'", timeout=300)
    assert host.out(f"ls {out}") == f"{host.name}.qcow2"
    assert host.out(f"nix eval --raw '{flake}#nixosConfigurations.{host.name}.config.system.build.images.template'") == out


def test_a_change_is_deployed(controller: Controller, homelab: Homelab, host: LabHost) -> None:
    before = engine(host)
    homelab.edit(f"nix/hosts/{host.name}/default.nix", "cockpit.root", "homelab.docker.networks.media = { };\n\n  cockpit.root")
    homelab.edit("compose/web/page.txt", "one", "two")
    commit = homelab.commit("a network, and a page")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert host.out("/run/current-system/sw/bin/nixos-version --configuration-revision") == commit
    assert host.out("docker network inspect -f '{{.Internal}}' media") == "false"
    after = engine(host)
    assert after["daemon"] == before["daemon"]
    assert after["mounted"].split() == ["two", "correct-horse"]
    assert after["containers"] != before["containers"]


def test_what_does_not_fit_is_refused_and_nothing_happens(controller: Controller, homelab: Homelab, host: LabHost) -> None:
    before = engine(host)
    site = f"nix/hosts/{host.name}/site.nix"
    text = homelab.read(site)
    homelab.write(site, text.replace(text[text.index("admin") : text.index("deploy")], "admin = [ ];\n  "))
    homelab.commit("nobody")
    done = controller.deploy()
    assert done.code != 0
    assert "no ssh keys" in done.out
    assert engine(host) == before
    homelab.git("revert", "--no-edit", "HEAD")


def test_leaving_recreates_nothing(homelab: Homelab, host: LabHost) -> None:
    before = engine(host)
    homelab.edit(f"nix/hosts/{host.name}/default.nix", "cockpit.root", "cockpit.enable = false;\n  cockpit.root")
    homelab.commit("without cockpit")
    closure = host.rebuild(homelab)
    assert host.out("readlink -f /run/current-system") == closure
    assert host.exec("test -e /run/current-system/cockpit", check=False).returncode == 1
    assert host.exec("test -e /run/current-system/sw/bin/cockpit-transaction", check=False).returncode == 1
    assert host.out("systemctl list-units --all --no-legend 'cockpit-re*' | wc -l") == "0"
    assert host.out("cat /etc/static/sudoers.d/nixos") == "%wheel ALL=(ALL:ALL) NOPASSWD: ALL"
    assert engine(host) == before
    # whoever leaves goes on with plain compose, from the folder that is there
    host.exec("cd /var/lib/cockpit/projects/web && docker compose up -d")
    assert engine(host) == before
