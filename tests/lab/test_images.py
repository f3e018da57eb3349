"""Images by digest, from a real registry on the host's own loopback; and a tag that moves in the middle of a transaction."""

from __future__ import annotations

import pytest

from tests.lab.controller import Controller, assert_whole, settle
from tests.lab.homelab import IDLE, Homelab
from tests.lab.host import LabHost

REGISTRY = "127.0.0.1:5000"


@pytest.fixture(scope="module")
def digests(host: LabHost, homelab: Homelab) -> dict[str, str]:
    """version -> digest, of app:1 and app:2 in the registry; the engine has forgotten both references."""
    host.exec(
        f"""printf '%s\\n' 'version: 0.1' 'storage: {{filesystem: {{rootdirectory: /var/lib/lab-registry}}}}' 'http: {{addr: "{REGISTRY}"}}' >/root/registry.yml
        systemd-run -q --unit=lab-registry docker-registry serve /root/registry.yml
        for i in $(seq 100); do curl -sf http://{REGISTRY}/v2/ >/dev/null && break; sleep 0.1; done"""
    )
    found = {}
    for version in ("1", "2"):
        image = f"{REGISTRY}/app:{version}"
        host.exec(f"docker tag cockpit-lab/app:{version} {image} && docker push -q {image}")
        found[version] = host.out(f"docker image inspect {image} --format '{{{{index .RepoDigests 0}}}}'").partition("@")[2]
        assert found[version].startswith("sha256:")
        host.exec(f"docker rmi {image} {REGISTRY}/app@{found[version]}", check=False)
    return found


def _compose(homelab: Homelab, image: str) -> None:
    homelab.write(
        "compose/home/compose.yaml",
        f'services:\n  homepage:\n    image: {image}\n    restart: unless-stopped\n    command: ["sh", "-c", "{IDLE}"]\n',
    )


def _lock(homelab: Homelab, digest: str) -> None:
    homelab.write("compose/home/compose.lock.yaml", f"services:\n  homepage:\n    image: {REGISTRY}/app:stable@{digest}\n")


def _runs(host: LabHost) -> tuple[str, str]:
    """Container and image id of home/homepage."""
    container, image = host.out("docker inspect home-homepage-1 --format '{{.Id}} {{.Image}}'").split()
    return container, image


def test_a_locked_image_is_pulled_by_digest(
    controller: Controller, host: LabHost, homelab: Homelab, digests: dict[str, str]
) -> None:
    _compose(homelab, f"{REGISTRY}/app:stable")
    _lock(homelab, digests["1"])
    homelab.commit("homepage by digest")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert "project home: images are not pinned" not in done.out
    assert_whole(host)
    assert _runs(host)[1] == host.out("docker image inspect cockpit-lab/app:1 --format '{{.Id}}'")


def test_a_tag_that_moves_in_the_registry_changes_nothing(
    controller: Controller, host: LabHost, homelab: Homelab, digests: dict[str, str]
) -> None:
    before = _runs(host)
    host.exec(
        f"docker tag cockpit-lab/app:2 {REGISTRY}/app:stable; docker push -q {REGISTRY}/app:stable; docker rmi {REGISTRY}/app:stable"
    )
    homelab.write("compose/core/conf/dynamic.txt", "routers: 2\n")
    homelab.commit("something else")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert _runs(host) == before
    assert_whole(host)


def test_going_back_needs_no_registry(controller: Controller, host: LabHost, homelab: Homelab, digests: dict[str, str]) -> None:
    old = _runs(host)
    _lock(homelab, digests["2"])
    homelab.commit("a newer homepage")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert _runs(host)[1] == host.out("docker image inspect cockpit-lab/app:2 --format '{{.Id}}'")
    host.exec("systemctl stop lab-registry")
    done = controller.rollback()
    assert done.code == 0, done.out
    assert _runs(host)[1] == old[1]
    assert_whole(host)
    assert controller.run("resume", "--headless", "--yes").code == 0


def test_a_digest_that_cannot_be_had_changes_nothing(controller: Controller, host: LabHost, homelab: Homelab) -> None:
    before = _runs(host)
    _lock(homelab, f"sha256:{'0' * 64}")
    homelab.commit("no such digest")
    done = controller.deploy()
    assert done.code == 4, done.out
    assert "cannot be had" in done.out and "hint:" in done.out
    assert _runs(host) == before
    homelab.git("revert", "--no-edit", "HEAD")


def test_a_revert_brings_a_moved_tag_back(controller: Controller, host: LabHost, homelab: Homelab) -> None:
    """A mutable tag is moved by somebody while a release that will fail is on its way."""
    host.exec("docker tag cockpit-lab/app:1 cockpit-lab/app:moving")
    (homelab.path / "compose/home/compose.lock.yaml").unlink()
    _compose(homelab, "cockpit-lab/app:moving")
    homelab.commit("homepage by a tag")
    done = controller.deploy()
    assert done.code == 0, done.out
    old = _runs(host)[1]
    homelab.edit("compose/core/compose.yaml", "/dynamic.txt", "/not-there.txt")
    homelab.commit("unhealthy")
    failing = controller.start("deploy", "--headless", "--yes")
    host.exec(
        'for i in $(seq 600); do ls -t /run/cockpit/runs/*/events | head -n 1 | xargs grep -q \'"phase":"activate"\' && exit 0; sleep 0.05; done; exit 1'
    )
    host.exec("docker tag cockpit-lab/app:2 cockpit-lab/app:moving")
    out, _ = failing.communicate(timeout=180)
    assert failing.returncode == 5, out
    settle(host)
    assert host.out("docker image inspect cockpit-lab/app:moving --format '{{.Id}}'") == old
    assert _runs(host)[1] == old
    assert_whole(host)
