"""nix/ as it is shipped: it parses, its lock fits, every host evaluates against typed options, and is as closed as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scripts.paths import TOP, tracked
from tests.contract.nixtree import evaluate, ship

NIX = shutil.which("nix-instantiate")
pytestmark = pytest.mark.skipif(not NIX, reason="not installed: nix")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomelabExampleKeyThatOpensNothingAtAll ada@laptop"
WITH_KEYS = f'homelab.access.admin = [ "{KEY}" ]; homelab.access.deploy = [ "{KEY}" ];'
SYSTEM = """
tailscale: {auth-key: "ENC[AES256_GCM,data:x]"}
backup: {password: "ENC[x]", repository: "ENC[x]", environment: "ENC[x]"}
"""


@cache
def hosts(extra: str = "") -> dict[str, Any]:
    """The plain data of every host, with more settings for each of them."""
    done = evaluate(TOP, "hosts", extra)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@cache
def outputs() -> dict[str, Any]:
    done = evaluate(TOP, "outputs")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def failed(host: dict[str, Any]) -> list[str]:
    return [found["message"] for found in host["assertions"] if not found["assertion"]]


HOSTS = sorted(path.name for path in (TOP / "nix/hosts").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "path", [path for path in tracked() if path.suffix == ".nix"], ids=lambda path: str(path.relative_to(TOP))
)
def test_it_parses(path: Path) -> None:
    done = subprocess.run(["nix-instantiate", "--parse", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- the flake -------------------------------------------------------------------------------------------------------


def metadata(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = ["nix", "--offline", "--extra-experimental-features", "nix-command flakes", "flake", "metadata"]
    return subprocess.run(
        [*argv, "--no-update-lock-file", "--json", f"path:{folder}"], capture_output=True, text=True, check=False
    )


def test_the_flake_and_its_lock_agree(tmp_path: Path) -> None:
    for name in ("flake.nix", "flake.lock"):
        shutil.copy(TOP / "nix" / name, tmp_path)
    done = metadata(tmp_path)
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["locks"]["nodes"]
    assert set(nodes) == {"root", "nixpkgs", "disko", "sops-nix"}
    for name in ("nixpkgs", "disko", "sops-nix"):
        assert re.fullmatch(r"[0-9a-f]{40}", nodes[name]["locked"]["rev"])
        assert re.fullmatch(r"sha256-[A-Za-z0-9+/]{43}=", nodes[name]["locked"]["narHash"])
    # one nixpkgs, not three
    assert nodes["disko"]["inputs"] == nodes["sops-nix"]["inputs"] == {"nixpkgs": ["nixpkgs"]}


@pytest.mark.parametrize(("old", "new"), [("nixos-26.05", "nixos-25.11"), ("disko/v1.13.0", "disko/v1.12.0")])
def test_a_lock_that_does_not_fit_is_found(tmp_path: Path, old: str, new: str) -> None:
    shutil.copy(TOP / "nix/flake.lock", tmp_path)
    text = (TOP / "nix/flake.nix").read_text()
    assert old in text
    (tmp_path / "flake.nix").write_text(text.replace(old, new))
    assert metadata(tmp_path).returncode != 0


def test_each_module_and_each_folder_is_an_output() -> None:
    modules = {path.stem for path in (TOP / "nix/modules").glob("*.nix")}
    assert set(outputs()["modules"]) == modules | {"default"}
    assert sorted(hosts()) == HOSTS


def test_a_new_folder_is_a_new_host(tmp_path: Path) -> None:
    tree = ship(tmp_path / "tree")
    shutil.copytree(tree / "nix/hosts/homelab", tree / "nix/hosts/nas")
    site = tree / "nix/hosts/nas/site.nix"
    site.write_text(site.read_text().replace('"homelab"', '"nas"'))
    done = evaluate(tree, "hosts")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: host["cockpit"]["host"] for name, host in found.items()} == {"homelab": "homelab", "nas": "nas"}


def test_the_program_is_packaged_with_what_it_depends_on() -> None:
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[=<>~! \[]", line)[0].lower().replace(".", "-") for line in wanted}
    text = (TOP / "nix/packages/cockpit.nix").read_text()
    listed = re.findall(r"dependencies = (.*?)\]\);", text, re.DOTALL)[0]
    assert set(re.findall(r"^ +([a-z-]+)$", listed, re.MULTILINE)) == names


def test_the_wheel_that_nixpkgs_lacks_is_the_one_that_is_pinned() -> None:
    text = (TOP / "nix/packages/cockpit.nix").read_text()
    version, digest = (re.findall(pattern, text)[0] for pattern in (r'version = "([\d.]+)"', r'hash = "sha256-([^"]+)"'))
    _, found, after = (TOP / "requirements/run.txt").read_text().partition(f"\npyrage=={version} ")
    assert found
    pinned = after[: re.search(r"^[a-z]", after, re.MULTILINE).start()]  # type: ignore[union-attr]
    assert b64decode(digest).hex() in pinned


def test_packages_apps_and_tools() -> None:
    found = outputs()
    assert set(found["packages"]) == {"cockpit", "default"} | {f"image-{name}" for name in HOSTS}
    assert set(found["apps"]) == {"cockpit", "default"}
    for app in found["apps"].values():
        assert app["type"] == "app"
        assert app["program"].endswith("/bin/cockpit")
    assert {"sops", "age", "opentofu", "docker-compose", "nixos-rebuild-ng", "git", "jq", "tailscale"} <= set(found["shell"])
    assert {"actionlint", "zizmor", "uv", "python3", "shellcheck"} <= set(found["shell"])


def test_a_homelab_without_the_program_has_hosts_and_no_program(tmp_path: Path) -> None:
    tree = ship(tmp_path / "tree")
    (tree / "pyproject.toml").unlink()
    done = evaluate(tree, "outputs")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (set(found["packages"]), found["apps"]) == ({f"image-{name}" for name in HOSTS}, {})
    assert evaluate(tree, "hosts").returncode == 0


# ---- the hosts -------------------------------------------------------------------------------------------------------


def test_the_site_is_what_is_filled_in(tmp_path: Path) -> None:
    tree = ship(tmp_path / "tree")
    (tree / "nix/hosts/homelab/site.nix").write_text(
        f'{{ hostName = "attic"; timeZone = "Asia/Tokyo"; admin = [ "{KEY}-1" ]; deploy = [ "{KEY}-2" ]; }}'
    )
    done = evaluate(tree, "hosts")
    assert done.returncode == 0, done.stderr
    host = json.loads(done.stdout)["homelab"]
    assert (host["networking"]["hostName"], host["time"]["timeZone"], failed(host)) == ("attic", "Asia/Tokyo", [])
    assert host["users"]["users"]["admin"]["openssh"]["authorizedKeys"]["keys"] == [f"{KEY}-1"]
    assert host["users"]["users"]["cockpit"]["openssh"]["authorizedKeys"]["keys"] == [f"{KEY}-2"]


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_says_which_commit_it_is(name: str) -> None:
    host = hosts()[name]
    assert host["system"]["configurationRevision"] == host["cockpit"]["commit"] == "0123456789" * 4
    assert re.fullmatch(r"\d\d\.\d\d", host["system"]["stateVersion"])
    assert host["time"]["timeZone"]


@pytest.mark.parametrize("name", HOSTS)
def test_nobody_gets_in_but_by_key_through_the_tailnet(name: str) -> None:
    host = hosts(WITH_KEYS)[name]
    ssh, firewall = host["services"]["openssh"], host["networking"]["firewall"]
    assert (ssh["enable"], ssh["openFirewall"], ssh["authorizedKeysInHomedir"]) == (True, False, False)
    assert ssh["settings"]["PasswordAuthentication"] is False
    assert ssh["settings"]["KbdInteractiveAuthentication"] is False
    assert ssh["settings"]["AuthenticationMethods"] == "publickey"
    assert ssh["settings"]["PermitRootLogin"] == "no"
    assert ssh["settings"]["AllowUsers"] == ["admin", "cockpit"]
    assert [key["path"] for key in ssh["hostKeys"]] == ["/etc/ssh/ssh_host_ed25519_key"]
    assert firewall["enable"] is True
    assert (firewall["allowedTCPPorts"], firewall["allowedTCPPortRanges"], firewall["allowedUDPPorts"]) == ([], [], [])
    assert {name: sorted(open_["allowedTCPPorts"]) for name, open_ in firewall["interfaces"].items()} == {
        "tailscale0": [22, 80, 443]
    }
    assert host["services"]["tailscale"]["enable"] is True
    assert "--ssh=false" in host["services"]["tailscale"]["extraSetFlags"]
    assert host["users"]["mutableUsers"] is False
    assert {name: user["openssh"]["authorizedKeys"]["keys"] for name, user in host["users"]["users"].items()} == {
        "admin": [KEY],
        "cockpit": [KEY],
    }
    assert "docker" not in host["users"]["users"]["admin"]["extraGroups"]
    assert host["boot"]["loader"]["systemd-boot"] == {"enable": True, "configurationLimit": 20, "editor": False}


@pytest.mark.parametrize("name", HOSTS)
def test_the_engine_publishes_on_loopback_and_keeps_its_images(name: str) -> None:
    host = hosts()[name]
    docker = host["virtualisation"]["docker"]
    assert docker["daemon"]["settings"] == {
        "live-restore": True,
        "ip": "127.0.0.1",
        "default-network-opts": {"bridge": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}},
    }
    assert docker["logDriver"] == "journald"
    assert docker["autoPrune"]["enable"] is False
    assert host["homelab"]["docker"]["networks"] == {"proxy": {"internal": False}, "socket": {"internal": True}}
    script = host["systemd"]["services"]["docker-networks"]["script"]
    assert "network create 'proxy'" in script
    assert "network create --internal 'socket'" in script
    assert host["boot"]["kernel"]["sysctl"]["net.ipv4.ip_nonlocal_bind"] == 1
    assert {"cockpit-converge", "cockpit-recover", "cockpit-secrets"} <= set(host["systemd"]["services"])


@pytest.mark.parametrize("name", HOSTS)
def test_nix_takes_what_is_locked_and_no_generation_goes_by_itself(name: str) -> None:
    nix = hosts()[name]["nix"]
    assert nix["registry"] == {"nixpkgs": str(TOP / "tests/lab/nix")}
    assert nix["nixPath"] == ["nixpkgs=flake:nixpkgs"]
    assert (nix["channel"]["enable"], nix["settings"]["flake-registry"]) == (False, "")
    assert nix["optimise"]["automatic"] is True
    assert (nix["gc"]["automatic"], nix["gc"]["options"]) == (True, "")


@pytest.mark.parametrize("name", HOSTS)
def test_what_is_formatted_is_what_is_mounted(name: str) -> None:
    host = hosts(WITH_KEYS)[name]
    disk = host["disko"]["devices"]["disk"]["main"]
    assert disk["device"].startswith("/dev/disk/by-id/")
    parts = disk["content"]["partitions"]
    assert (disk["content"]["type"], parts["ESP"]["type"], parts["root"]["size"]) == ("gpt", "EF00", "100%")
    assert host["fileSystems"]["/boot"]["options"] == ["umask=0077"]
    assert (host["fileSystems"]["/"]["fsType"], host["fileSystems"]["/"]["autoResize"]) == ("ext4", True)
    assert host["fileSystems"]["/"]["device"] == "/dev/disk/by-partlabel/disk-main-root"
    assert host["images"]["template"]["name"] == f"{host['networking']['hostName']}-image"


def test_cloud_init_decides_about_the_network_only() -> None:
    settings = hosts()["homelab"]["services"]["cloud-init"]["settings"]
    assert settings["preserve_hostname"] is True
    assert settings["users"] == settings["cloud_config_modules"] == settings["cloud_final_modules"] == []
    assert settings["cloud_init_modules"] == ["seed_random"]


def test_an_image_can_be_reached_by_key_until_the_first_deploy() -> None:
    host = hosts(WITH_KEYS + "homelab.firstBoot = true; homelab.backup.enable = true;")["homelab"]
    assert host["networking"]["firewall"]["allowedTCPPorts"] == [22]
    assert host["services"]["openssh"]["settings"]["PasswordAuthentication"] is False
    assert host["services"]["openssh"]["settings"]["AllowUsers"] == ["admin"]
    assert (host["cockpit"]["enable"], host["homelab"]["backup"]["enable"], host["sops"]["secrets"]) == (False, False, {})
    assert failed(host) == []


def test_the_image_has_the_layout_of_the_disk_and_the_hosts_name() -> None:
    argv = ["nix-build", "--no-out-link", "--option", "sandbox", "false", "--option", "build-users-group", ""]
    argv += [str(TOP / "tests/contract/reference.nix"), "--arg", "extra", f"{{ {WITH_KEYS} }}", "-A", "image"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (file,) = Path(done.stdout.strip()).iterdir()
    assert file.name == "homelab.qcow2"
    toplevel, boot, *names = file.read_text().splitlines()
    assert not (Path(toplevel) / "cockpit").exists()
    parts = hosts()["homelab"]["disko"]["devices"]["disk"]["main"]["content"]["partitions"]
    assert boot == f"/boot {parts['ESP']['size']}"
    assert names == [f"--change-name=1:{parts['ESP']['label']}", f"--change-name=2:{parts['root']['label']}"]
    assert parts["root"]["label"] == hosts()["homelab"]["fileSystems"]["/"]["device"].rpartition("/")[2]


@pytest.mark.parametrize("how", ["off", "removed"])
def test_a_host_without_cockpit_is_as_closed_and_keeps_its_engine(tmp_path: Path, how: str) -> None:
    tree = with_system_secrets(tmp_path)
    host_file, flake = tree / "nix/hosts/homelab/default.nix", tree / "nix/flake.nix"
    if how == "removed":
        host_file.write_text(host_file.read_text().replace("  cockpit.root = ../../..;\n", ""))
        flake.write_text(flake.read_text().replace("        cockpit = ./modules/cockpit.nix;\n", ""))
        (tree / "nix/modules/cockpit.nix").unlink()
    done = evaluate(tree, "hosts", WITH_KEYS + ("cockpit.enable = false;" if how == "off" else ""))
    assert done.returncode == 0, done.stderr
    host = json.loads(done.stdout)["homelab"]
    assert failed(host) == []
    assert not [unit for unit in host["systemd"]["services"] if unit.startswith("cockpit")]
    assert host["services"]["openssh"]["settings"]["AllowUsers"] == ["admin"]
    assert list(host["users"]["users"]) == ["admin"]
    assert host["virtualisation"]["docker"]["daemon"]["settings"]["live-restore"] is True
    assert host["services"]["tailscale"]["authKeyFile"] == "/run/secrets/tailscale/auth-key"


# ---- secrets and backups ---------------------------------------------------------------------------------------------


def with_system_secrets(tmp_path: Path) -> Path:
    tree = ship(tmp_path / "tree")
    (tree / "secrets/homelab").mkdir(parents=True, exist_ok=True)
    (tree / "secrets/homelab/system.yaml").write_text(SYSTEM)
    return tree


def test_the_hosts_own_secrets_reach_what_needs_them(tmp_path: Path) -> None:
    tree = with_system_secrets(tmp_path)
    done = evaluate(tree, "hosts", WITH_KEYS + "homelab.backup.enable = true;")
    assert done.returncode == 0, done.stderr
    host = json.loads(done.stdout)["homelab"]
    assert failed(host) == []
    assert host["sops"]["age"]["sshKeyPaths"] == ["/etc/ssh/ssh_host_ed25519_key"]
    assert set(host["sops"]["secrets"]) == {
        *("tailscale/auth-key", "backup/password", "backup/repository", "backup/environment"),
    }
    assert {secret["mode"] for secret in host["sops"]["secrets"].values()} == {"0400"}
    assert host["services"]["tailscale"]["authKeyFile"] == "/run/secrets/tailscale/auth-key"
    backup = host["services"]["restic"]["backups"]["volumes"]
    assert backup["passwordFile"] == "/run/secrets/backup/password"
    assert backup["repositoryFile"] == "/run/secrets/backup/repository"
    assert backup["environmentFile"] == "/run/secrets/backup/environment"
    assert backup["paths"] == ["/var/lib/homelab-backup"]
    assert backup["pruneOpts"] and backup["checkOpts"]
    assert "d /var/lib/homelab-backup 0700 root root -" in host["systemd"]["tmpfiles"]["rules"]


def test_backups_are_off_until_they_are_asked_for(tmp_path: Path) -> None:
    done = evaluate(with_system_secrets(tmp_path), "hosts")
    host = json.loads(done.stdout)["homelab"]
    assert host["services"]["restic"]["backups"] == {}
    assert set(host["sops"]["secrets"]) == {"tailscale/auth-key"}


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("", "no ssh keys"),
        (f'homelab.access.deploy = [ "{KEY}" ];', "no ssh keys"),
        ('homelab.access.admin = [ "OPENSSH PRIVATE KEY" ];', "a private ssh key"),
        ("networking.firewall.allowedTCPPorts = [ 8080 ];", "opens a TCP port on every interface (8080)"),
        ("homelab.backup.enable = true; homelab.secrets.file = null;", "homelab.backup needs"),
    ],
)
def test_what_would_lock_out_or_open_up_does_not_build(extra: str, message: str) -> None:
    assert any(message in found for found in failed(hosts(extra)["homelab"]))


def test_a_filled_in_host_has_nothing_to_complain_about() -> None:
    assert failed(hosts(WITH_KEYS)["homelab"]) == []
    assert failed(hosts(WITH_KEYS + "homelab.firewall.everywhere = [ 53 ];")["homelab"]) == []


WRONG = [
    ("modules/base.nix", "zramSwap.enable", "zramSwap.enabled", "zramSwap.enabled' does not exist"),
    ("modules/base.nix", "configurationLimit = lib.mkDefault 20", 'configurationLimit = "10"', "configurationLimit' is not of"),
    ("modules/base.nix", "optimise.automatic", "optimize.automatic", "nix.optimize' does not exist"),
    ("modules/ssh.nix", "PasswordAuthentication", "PasswordAuthentification", "PasswordAuthentification' does not exist"),
    ("modules/ssh.nix", 'PermitRootLogin = "no"', "PermitRootLogin = false", "settings.PermitRootLogin' is not of type"),
    ("modules/ssh.nix", "authorizedKeys.keys = cfg.access.admin", "authorizedKeys = cfg.access.admin", "a list while a set was"),
    ("modules/firewall.nix", "tailscale0.allowedTCPPorts", "tailscale0.allowedTCPPort", "allowedTCPPort' does not exist"),
    ("modules/firewall.nix", "        443\n", '        "443"\n', "allowedTCPPorts' is not of type"),
    ("modules/docker.nix", "live-restore = true", 'live-restore = "yes"', "live-restore' is not of type"),
    ("modules/docker.nix", "logDriver", "logdriver", "docker.logdriver' does not exist"),
    ("modules/docker.nix", "socket.internal = true", "socket.intern = true", "intern' does not exist"),
    ("modules/tailscale.nix", "inherit (cfg) authKeyFile", "authkeyFile = cfg.authKeyFile", "authkeyFile' does not exist"),
    ("modules/tailscale.nix", 'extraSetFlags = [', 'extraSetFlags = "" + toString [', "extraSetFlags' is not of type"),
    ("modules/secrets.nix", "age.sshKeyPaths = [", "age.sshKeyPath = [", "sops.age.sshKeyPath' does not exist"),
    ("modules/secrets.nix", ") (_: { })", ") (_: { keys = 1; })", "keys' does not exist"),
    ("modules/backup.nix", "pruneOpts", "pruneOptions", "pruneOptions' does not exist"),
    ("modules/backup.nix", "paths = [ copy ] ++ cfg.paths", "paths = copy", "paths' is not of type"),
    ("modules/image.nix", 'extension = "qcow2"', 'extensions = "qcow2"', "image.extensions' does not exist"),
    ("modules/image.nix", "partitionTableType", "partitionTable", "required argument 'partitionTableType'"),
    ("modules/cockpit.nix", "requiredBy = [", "requiredby = [", "requiredby' does not exist"),
    ("hosts/homelab/disk.nix", "mountpoint = \"/\"", "mountPoint = \"/\"", "mountPoint' does not exist"),
    ("hosts/homelab/disk.nix", 'type = "gpt"', 'type = "gtp"', "type' is not of type"),
    ("hosts/homelab/hardware.nix", "qemuGuest.enable", "qemuGuest.enabled", "qemuGuest.enabled' does not exist"),
    ("flake.nix", "system.configurationRevision", "system.configurationRevison", "configurationRevison' does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "message"), WRONG, ids=[f"{case[0]}: {case[2]}" for case in WRONG])
def test_a_wrong_name_or_value_is_refused(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    tree = with_system_secrets(tmp_path)
    file = tree / "nix" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    done = evaluate(tree, "hosts", WITH_KEYS + "homelab.backup.enable = true;")
    assert done.returncode != 0
    assert message in done.stderr


def test_the_tree_that_is_spoilt_there_is_in_order(tmp_path: Path) -> None:
    done = evaluate(with_system_secrets(tmp_path), "hosts", WITH_KEYS + "homelab.backup.enable = true;")
    assert done.returncode == 0, done.stderr
