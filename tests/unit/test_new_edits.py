"""Edits of the reference homelab's files: what is meant changes, nothing else does, and what is not found is told."""

from __future__ import annotations

import json
from difflib import ndiff
from pathlib import Path

import pytest

from cockpit import config
from cockpit.actions.new import edits
from cockpit.actions.new.answers import Proxmox
from cockpit.domain.errors import CockpitError, UsageError
from scripts.paths import TOP

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0mPjmQrCE3Y0vIKmZ6ZpP4pG0ZTzPq7pVvGZsNTn6i"
PRINT = ":".join(["AB"] * 32)
PVE = Proxmox("https://pve.example.net:8006", "pve2", "tank", "vmbr1", "nixos", 204, "cockpit@pve!tui", PRINT)
REFERENCE = (TOP / "cockpit.yaml").read_text()
SMALL = """\
# ours
version: 1
hosts:
    web:   # the first
        address: "web.lan"   # in the tailnet
        flake: nix#web  # its flake

    # the second
    nas:
        address: nas
        host_key: ssh-ed25519 OLD # pinned
projects: {}
"""


def changed(before: str, after: str) -> list[str]:
    """`-` and `+` lines of a diff."""
    return [line.rstrip("\n") for line in ndiff(before.splitlines(True), after.splitlines(True)) if line[0] in "+-"]


# ---- .env, site.nix, tfvars ------------------------------------------------------------------------------------------


def test_env_keeps_what_it_does_not_know() -> None:
    text = "# Not secret.\nDOMAIN=home.example.org\nOTHER=1\n#TZ=old\nTZ=Europe/Berlin\n"
    made = edits.env(text, {"DOMAIN": r"lab.example.net\1", "TZ": "UTC", "ACME_EMAIL": "me@example.net"})
    assert made == "# Not secret.\nDOMAIN=lab.example.net\\1\nOTHER=1\n#TZ=old\nTZ=UTC\n"


def test_site_is_a_nix_set() -> None:
    made = edits.site("nest", "Europe/Paris", ["ssh-ed25519 AAAA a"], ["ssh-ed25519 AAAA a", 'x "${b}" \\'])
    assert '  hostName = "nest";\n  timeZone = "Europe/Paris";\n' in made
    assert '  admin = [\n    "ssh-ed25519 AAAA a"\n  ];\n' in made
    assert '    "x \\"\\${b}\\" \\\\"\n' in made


def test_tfvars() -> None:
    text = json.dumps({"node": "pve1", "more": 1, "hosts": {"a": {"vmid": 1}, "homelab": {"vmid": 101, "cores": 4}}})
    made = json.loads(edits.tfvars(text, "homelab", "nest", PVE))
    assert made == {
        "node": "pve2", "more": 1, "hosts": {"a": {"vmid": 1}, "nest": {"vmid": 204, "cores": 4}}, "storage": "tank",
        "proxmox_url": "https://pve.example.net:8006/api2/json", "bridge": "vmbr1", "template": "nixos",
    }  # fmt: skip
    assert list(made["hosts"]) == ["a", "nest"]
    assert json.loads(edits.tfvars(text, "homelab", "nest", None))["node"] == "pve1"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": {}}', '{"hosts": {"other": {}}}'])
def test_tfvars_without_the_host(text: str) -> None:
    with pytest.raises(CockpitError, match="cannot be edited"):
        edits.tfvars(text, "homelab", "nest", None)


# ---- cockpit.yaml ----------------------------------------------------------------------------------------------------


def test_the_reference_settings_become_ones_own(tmp_path: Path) -> None:
    made = edits.settings(REFERENCE, "homelab", "nest", "100.64.0.9")
    made = edits.cluster(edits.pin_host_key(made, "nest", KEY), "nest", PVE)
    made = edits.renamed(made, "homelab", "nest")
    (tmp_path / "cockpit.yaml").write_text(made)
    found = config.load(tmp_path / "cockpit.yaml")
    host = found.hosts["nest"]
    assert (host.address, host.host_key, host.guest, host.flake) == ("100.64.0.9", KEY, "home/204", "nix#nest")
    assert host.protected is True
    cluster = found.clusters["home"]
    assert (cluster.addresses, cluster.user) == (("pve.example.net",), "cockpit@pve!tui")
    assert cluster.fingerprint == PRINT
    assert (cluster.secret.file, cluster.secret.key) == ("secrets/operator/proxmox.yaml", "token-secret")
    assert {secret.file.split("/")[1] for project in found.projects.values() for secret in project.secrets} == {"nest"}
    comments = [line for line in REFERENCE.splitlines() if line.strip().startswith("#") and "host_key" not in line][1:]
    assert comments and all(line in made.splitlines() for line in comments)


def test_only_what_is_meant_changes() -> None:
    made = edits.settings(SMALL, "web", "www", "100.64.0.1:2222")
    assert sorted(changed(SMALL, made)) == sorted(
        [
            "-     web:   # the first",
            "+     www:   # the first",
            '-         address: "web.lan"   # in the tailnet',
            '+         address: "100.64.0.1:2222"   # in the tailnet',
        ]
    )


def test_a_host_key_goes_where_it_belongs() -> None:
    assert changed(SMALL, edits.pin_host_key(SMALL, "web", KEY)) == [f"+         host_key: {KEY}"]
    assert changed(SMALL, edits.pin_host_key(SMALL, "nas", KEY)) == [
        "-         host_key: ssh-ed25519 OLD # pinned",
        f"+         host_key: {KEY} # pinned",
    ]
    commented = SMALL.replace("flake: nix#web", "# host_key: AAAA   # by ssh-keyscan")
    made = edits.pin_host_key(commented, "web", KEY)
    assert f"\n        host_key: {KEY}\n" in made and "ssh-keyscan" not in made
    assert edits.pin_host_key(made, "web", KEY) == made


def test_a_cluster_is_put_in_the_place_of_another() -> None:
    text = SMALL.replace("projects: {}", "clusters:\n  old:\n    addresses: [x]\n\n  older: {}\nprojects: {}")
    made = edits.cluster(text, "nas", PVE)
    assert "old" not in made.replace("OLD", "") and made.count("clusters:") == 1
    assert "projects: {}\n\nclusters:\n  home:\n" in made
    assert "        guest: home/204\n" in made


@pytest.mark.parametrize(
    "text", ["", "version: 1\n", "hosts:\n  other:\n    address: x\n", "projects:\n  web:\n    address: x\n"]
)
def test_no_such_host(text: str) -> None:
    with pytest.raises(UsageError, match="names no host web"):
        edits.pin_host_key(text, "web", KEY)


def test_no_address() -> None:
    with pytest.raises(UsageError, match="no line `address:`") as caught:
        edits.pin_host_key("hosts:\n  web:\n    user: x\n  nas:\n    address: y\n", "web", KEY)
    assert KEY in caught.value.hint


def test_a_workflow_installs_this_cockpit() -> None:
    text = "env:\n  # Where cockpit comes from: this checkout. `cockpit init` writes another.\n  COCKPIT: .\njobs: {}\n"
    made = edits.workflow(text, "1.2.3")
    assert made == "env:\n  # Its dependencies are pinned by hash: requirements/\n  COCKPIT: cockpit-homelab==1.2.3\njobs: {}\n"
    assert edits.workflow("on: push\n", "1.2.3") == "on: push\n"


@pytest.mark.parametrize("text", ["  COCKPIT: ./deep\n", '  COCKPIT: "."\n', "  COCKPIT: .\n  COCKPIT: git+x\n"])
def test_a_workflow_that_installs_in_another_way(text: str) -> None:
    with pytest.raises(CockpitError, match="cannot be edited"):
        edits.workflow(text, "1.2.3")


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nix/hosts/homelab/default.nix", "nix/hosts/nest/default.nix"),
        ("./hosts/homelab", "./hosts/nest"),
        ("file: secrets/homelab/a.yaml", "file: secrets/nest/a.yaml"),
        ("flake: nix#homelab", "flake: nix#nest"),
        ("nix build ./nix#image-homelab", "nix build ./nix#image-nest"),
        ("hosts/homelab-2/x secrets/homelabs nix#homelab-2", "hosts/homelab-2/x secrets/homelabs nix#homelab-2"),
        ("my-secrets/homelab the homelab", "my-secrets/homelab the homelab"),
    ],
)
def test_paths_are_renamed(before: str, after: str) -> None:
    assert edits.renamed(before, "homelab", "nest") == after


def test_the_template_is_renamed() -> None:
    text = """\
# homelab/x.yaml is a file
files:
  homelab/a.yaml:
    b: {same: homelab/c.yaml d}
  operator/host-keys.yaml:
    homelab: {ssh-host-key: made}
  operator/homelab.yaml:
    homelab: {random: 8}
    url: {later: "sftp:backup@nas:/tank/homelab/x.yaml"}
"""
    made = edits.template(text, "homelab", "nest")
    assert [line.strip() for line in changed(text, made) if line[0] == "+"] == [
        "+ # nest/x.yaml is a file", "+   nest/a.yaml:", "+     b: {same: nest/c.yaml d}", "+     nest: {ssh-host-key: made}",
    ]  # fmt: skip


def test_without() -> None:
    assert edits.without("a\n<!-- x -->\nb\n<!-- /x -->\n\nc\n", "x") == "a\nc\n"
    with pytest.raises(CockpitError, match="no part marked y"):
        edits.without("a\n<!-- x -->\nb\n<!-- /x -->\n", "y")
