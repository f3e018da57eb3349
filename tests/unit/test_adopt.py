"""Adopt: what it reads of a repository, what it writes, and what it leaves to a person."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace

from cockpit.actions.adopt import adopting, compare, flake, shape, texts
from cockpit.actions.adopt.adopting import Adoption
from cockpit.actions.adopt.texts import Answers
from cockpit.adapters.fileset import DiskFiles
from cockpit.adapters.nixos.inventory import inventory_from
from cockpit.cli import adopt as command
from cockpit.cli import parser
from cockpit.cli.output import Pipe
from cockpit.config import load
from cockpit.domain.errors import Conflict, Exit, Refused, UsageError
from cockpit.domain.inventory import FoundProject, FoundService, Inventory
from cockpit.domain.settings import EnvSecrets, HostSettings, SecretStyle
from cockpit.wiring.making import open_adopt
from scripts.paths import TOP

FLAKE = """\
{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";
  outputs = { self, nixpkgs, ... }: {
    nixosConfigurations.nixos = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        ./hardware-configuration.nix
        ./configuration.nix
      ];
    };
  };
}
"""
AGE = "age1gz5eq5gnctj7elj03j25xgelyxzlnj094u8lrcygjhkphpckpu0sdl8dwp"
BY_AGE = f"A=ENC[x]\nsops_age__list_0__map_recipient={AGE}\nsops_version=3.11.0\n"
BY_SSH = "A=ENC[x]\nsops_age__list_0__map_recipient=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\nsops_version=3.11.0\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ANSWERS = Answers("nixos", "192.0.2.15")
NOTHING = Inventory(hostname="nixos", nixos="25.05", engine=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of the shape that many have: nixos/, containers/*/compose.yaml with .env.enc, tofu/, a workflow."""
    files = {
        "nixos/flake.nix": FLAKE,
        "nixos/configuration.nix": '{ networking.hostName = "nixos"; system.stateVersion = "25.05";\n'
        '  networking.interfaces.ens18.ipv4.addresses = [ { address = "192.0.2.15"; prefixLength = 24; } ]; }\n',
        "nixos/hardware-configuration.nix": "{ }\n",
        "containers/traefik/compose.yaml": "services: {traefik: {image: traefik}}\n",
        "containers/traefik/.env.enc": BY_SSH,
        "containers/Uptime_Kuma/docker-compose.yml": "services: {kuma: {image: kuma}}\n",
        "containers/wiki/compose.yaml": "name: docs  # as it always was\nservices: {wiki: {image: wiki}}\n",
        "containers/README.md": "# Containers\n",
        "containers/empty/notes": "nothing to run\n",
        "tofu/nixos.tf": 'resource "proxmox_vm_qemu" "nixos" {\n  vmid = 105\n  disk {\n  }\n}\n',
        ".github/workflows/deploy.yml": "run: nixos-rebuild switch\n",
        ".github/workflows/lint.yml": "run: yamllint .\n",
        ".gitignore": "*.tfstate",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def plan(root: Path, answers: Answers = ANSWERS, inventory: Inventory | None = None) -> Adoption:
    return adopting.plan(shape.read(root), answers, TOP, inventory)


def apply(made: Adoption) -> None:
    asyncio.run(adopting.apply(made, DiskFiles(made.root)))


def written(made: Adoption, path: str) -> str:
    return next(change.new for change in made.changes if change.path == path)


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_the_shape(root: Path) -> None:
    found = shape.read(root)
    assert (found.flake_folder, found.projects_folder, found.hosts, found.locked) == ("nixos", "containers", ("nixos",), False)
    assert [(p.name, p.source, p.compose, p.sidecars) for p in found.projects] == [
        ("uptime_kuma", "containers/Uptime_Kuma", "docker-compose.yml", ()),
        ("traefik", "containers/traefik", "compose.yaml", (".env.enc",)),
        ("docs", "containers/wiki", "compose.yaml", ()),
    ]
    assert (found.address, found.guests, found.pipelines) == (
        "192.0.2.15",
        (("nixos", "105"),),
        (".github/workflows/deploy.yml",),
    )


def test_what_is_no_such_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no git repository"):
        shape.read(tmp_path)
    (tmp_path / ".git").mkdir()
    with pytest.raises(UsageError, match=r"there is no flake\.nix and no configuration\.nix"):
        shape.read(tmp_path)
    (tmp_path / "configuration.nix").write_text("{ }")
    with pytest.raises(UsageError, match="there are no compose projects"):
        shape.read(tmp_path)


def test_two_folders_of_one_name_are_refused(root: Path) -> None:
    (root / "containers/wiki/compose.yaml").write_text("name: traefik\n")
    with pytest.raises(Refused, match="are both project traefik"):
        shape.read(root)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (FLAKE, ("nixos",)),
        ('nixosConfigurations."home-lab" = lib.nixosSystem {', ("home-lab",)),
        (
            "nixosConfigurations = {\n a = lib.nixosSystem { modules = [ { x = { y = 1; }; } ]; };\n"
            " b = nixpkgs.lib.nixosSystem { }; };",
            ("a", "b"),
        ),
        ("nixosConfigurations = builtins.mapAttrs make hosts;", ()),
    ],
)  # fmt: skip
def test_hosts_of_a_flake(text: str, hosts: tuple[str, ...]) -> None:
    assert shape.hosts_of(text) == hosts


# ---- what is written ---------------------------------------------------------------------------------------------------


def test_the_settings_that_are_written_are_read(root: Path) -> None:
    (root / "cockpit.yaml").write_text(written(plan(root, Answers("nixos", "192.0.2.15:2222", host_key=KEY)), "cockpit.yaml"))
    settings = load(root / "cockpit.yaml")
    host = settings.hosts["nixos"]
    assert (host.address, host.host_key, host.flake, host.user) == ("192.0.2.15:2222", KEY, "nixos#nixos", "cockpit")
    assert settings.secret_style is SecretStyle.SIDECAR
    traefik, docs = settings.projects["traefik"], settings.projects["docs"]
    assert (traefik.directory, traefik.env_secrets) == ("/opt/containers/traefik", EnvSecrets.ALLOW)
    assert (docs.directory, docs.env_secrets, docs.source) == ("/opt/containers/wiki", EnvSecrets.REFUSE, "containers/wiki")
    assert host.identity == "/etc/ssh/ssh_host_ed25519_key"


@pytest.mark.parametrize("name", ["2048", "true", "it's", "käse", "a:", "1.5", "[a", "~"])
def test_words_that_yaml_reads_otherwise_are_quoted(root: Path, name: str) -> None:
    (root / "containers/wiki").rename(root / "containers" / name)
    (root / "containers" / name / "compose.yaml").write_text('name: "2048"\nservices: {a: {image: a}}\n')
    answers = Answers("nixos", "fd7a:115c::1", directories=(("traefik", f"/srv/{name}"),))
    (root / "cockpit.yaml").write_text(written(plan(root, answers), "cockpit.yaml"))
    settings = load(root / "cockpit.yaml")
    assert settings.projects["2048"].source == f"containers/{name}"
    assert (settings.projects["traefik"].directory, settings.hosts["nixos"].address) == (f"/srv/{name}", "fd7a:115c::1")


def test_an_age_key_decrypts_where_no_ssh_key_can(root: Path) -> None:
    (root / "containers/traefik/.env.enc").write_text(BY_AGE)
    assert f"    identity: {texts.AGE_IDENTITY}\n" in written(plan(root), "cockpit.yaml")
    asked = plan(root, Answers("nixos", "192.0.2.15", identity="/etc/key"))
    assert "    identity: /etc/key\n" in written(asked, "cockpit.yaml")
    told = compare.warnings(shape.read(root), ANSWERS, Inventory(nixos="25.05", identities=("/var/lib/sops-nix/key.txt",)))
    assert f"the host has no {texts.AGE_IDENTITY}, which would have to decrypt; it has /var/lib/sops-nix/key.txt" in "\n".join(
        told
    )


def test_the_flake_gets_one_line(root: Path) -> None:
    made = plan(root)
    change = next(c for c in made.changes if c.path == "nixos/flake.nix")
    added = [line for line in change.diff().splitlines() if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]
    assert added == ["+        (import ./cockpit-host.nix { revision = self.rev or self.dirtyRev or null; })"]
    module = written(made, "nixos/cockpit-host.nix")
    for line in (
        "imports = [ ./cockpit/modules/cockpit.nix ];",
        "system.configurationRevision = revision;",
        "cockpit.root = ./..;",
        'cockpit.projectRoots = [ "containers" ];',
        "users.users.cockpit.openssh.authorizedKeys.keys = config.users.users.root.openssh.authorizedKeys.keys;",
    ):
        assert line in module


def test_what_is_there_already_is_not_set_twice(root: Path) -> None:
    (root / "nixos/flake.nix").write_text(FLAKE.replace("./configuration.nix", "{ system.configurationRevision = self.rev; }"))
    module = written(plan(root, Answers("nixos", "x", user="deploy", deploy_keys=(KEY,))), "nixos/cockpit-host.nix")
    assert "configurationRevision" not in module
    assert 'cockpit.user = "deploy";' in module and f'"{KEY}"' in module and "{ ... }:" in module


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("outputs = inputs: { nixosConfigurations.a = x.nixosSystem { modules = [ ./a.nix ]; }; };", "inputs.self.rev"),
        (
            "outputs = { nixpkgs, ... }@inputs: { nixosConfigurations.a = x.nixosSystem {\n  modules = [\n  ];\n}; };",
            "inputs.self.rev",
        ),
        (
            "outputs = { self }: { nixosConfigurations = { b = l.nixosSystem { modules = [ ./b.nix ]; };\n"
            " a = l.nixosSystem {\n modules = [ # mine\n  ./a.nix ]; }; }; };",
            "self.rev",
        ),
    ],
)  # fmt: skip
def test_the_line_finds_its_place(text: str, line: str) -> None:
    made = flake.edit(text, "a", "cockpit-host.nix")
    assert made.text is not None and made.text.replace(made.line, "").split() == text.split()
    assert line in made.line
    assert made.text.index("a = ") < made.text.index(made.line)
    assert flake.edit(made.text, "a", "cockpit-host.nix").text == made.text


@pytest.mark.parametrize(
    "text",
    [
        "outputs = { nixpkgs, ... }: { nixosConfigurations.a = x.nixosSystem { modules = [ ]; }; };",
        "outputs = { self }: { nixosConfigurations = mapAttrs make hosts; };",
        "outputs = { self }: { nixosConfigurations.a = make { }; nixosConfigurations.b = x.nixosSystem { modules = [ ]; }; };",
        "outputs = { self }: { nixosConfigurations.a = x.nixosSystem { modules = common ++ [ ]; }; };",
    ],
)
def test_what_is_not_plain_to_see_is_left_to_a_person(root: Path, text: str) -> None:
    assert flake.edit(text, "a", "cockpit-host.nix").text is None
    (root / "nixos/flake.nix").write_text(text)
    made = plan(root, Answers("a", "192.0.2.15"))
    assert "nixos/flake.nix" not in {change.path for change in made.changes}
    assert "nixos/flake.nix, into the list `modules` of a" in made.by_hand[0] and "(import ./cockpit-" in made.by_hand[0]


def test_a_configuration_without_a_flake_gets_one(root: Path) -> None:
    (root / "nixos/flake.nix").unlink()
    made = plan(root)
    text = written(made, "nixos/flake.nix")
    assert 'inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";' in text
    assert flake.edit(text, "nixos", "cockpit-host.nix").text == text
    assert "nix flake lock ./nixos" in made.next[0]


def test_plain_names_of_sidecars_are_ignored(root: Path) -> None:
    assert written(plan(root), ".gitignore") == "*.tfstate\n# plain text of what is encrypted beside it\n.env\n"
    (root / ".gitignore").write_text("**/.env\n")
    assert ".gitignore" not in {change.path for change in plan(root).changes}


def test_it_is_written_whole_once_and_never_over_a_change(root: Path) -> None:
    made = plan(root)
    (root / "nixos/flake.nix").write_text(FLAKE + "# a thought\n")
    with pytest.raises(Conflict, match="changed since it was read"):
        apply(made)
    assert not (root / "cockpit.yaml").exists()
    apply(plan(root))
    assert (root / "nixos/flake.nix").read_text().endswith("# a thought\n")
    again = plan(root)
    assert again.nothing_to_do and "cockpit.yaml is there already and stays as it is" in again.notes
    program = root / "nixos/cockpit/programs/common.sh"
    program.write_text("an older one\n")
    assert [change.path for change in plan(root).vendored] == ["nixos/cockpit/programs/common.sh"]


def test_everything_that_a_host_program_needs_is_brought(root: Path) -> None:
    apply(plan(root))
    at = root / "nixos/cockpit"
    brought = {path.name for path in (at / "programs").iterdir()}
    assert brought == {path.name for path in (TOP / "nix/programs").iterdir() if path.suffix in (".sh", ".jq")}
    assert (at / "modules/cockpit.nix").read_text() == (TOP / "nix/modules/cockpit.nix").read_text()


# ---- what the host says ------------------------------------------------------------------------------------------------


def test_an_inventory_confirms_names_and_folders(root: Path) -> None:
    found = Inventory(
        nixos="25.05",
        engine=True,
        projects=(
            FoundProject("traefik", "/srv/traefik", ("/srv/traefik/compose.yaml",), (FoundService("proxy", "p", "running"),)),
            FoundProject("docs", "/opt/containers/wiki", ("/opt/old.yaml",), (FoundService("wiki", "w", "exited"),)),
            FoundProject("ghost", "/opt/containers/ghost"),
        ),
        alone=(FoundService("by-hand", "x", "running"),),
        units=("comin.service",),
    )  # fmt: skip
    read = shape.read(root)
    answers = Answers("nixos", "192.0.2.15", directories=compare.directories(read, found))
    assert "    directory: /srv/traefik\n" in texts.settings(read, answers)
    told = "\n".join(compare.warnings(read, answers, found))
    for words in (
        "project uptime_kuma does not run there",
        "project docs was started with /opt/old.yaml",
        "project docs: wiki does not run",
        "project ghost runs there and is not in the repository (/opt/containers/ghost): it is left alone",
        "containers of no compose project: by-hand",
        "comin.service is active there",
    ):
        assert words in told
    moved = "\n".join(compare.warnings(read, ANSWERS, found))
    assert "project traefik runs from /srv/traefik, and /opt/containers/traefik is what cockpit.yaml will say" in moved
    assert "the host is no NixOS host" in "\n".join(compare.warnings(read, answers, Inventory()))


def test_hostile_answers_of_a_host_are_harmless() -> None:
    labels = {"com.docker.compose.project": "a\x1b]0;x\x07b", "com.docker.compose.service": "s" * 5000}
    rows = [
        json.dumps(["/n", "image\x1b[2J", "running", labels]),
        json.dumps(["/alone", "i", "running", None]),
        "[1, 2",
        json.dumps({"not": "a row"}),
    ]
    pairs = {
        "inventory": "1",
        "hostname": "evil\x1b[31m\u202e",
        "nixos": "25.05\n",
        "profile": "system-7-link",
        "engine": "yes",
        "units": "comin.service docker-prune.service sshd.service docker-web.service",
        "count": "9",
        "containers": "\n".join(rows),
    }
    found = inventory_from(b"".join(f"{key}\0{value}\0".encode() for key, value in pairs.items()))
    assert (found.hostname, found.nixos, found.generation, found.left_out) == ("evil", "25.05", 7, 7)
    (project,) = found.projects
    assert project.name == "ab" and project.services[0].image == "image" and len(project.services[0].name) == 200
    assert [service.name for service in found.alone] == ["alone"]
    assert found.units == ("comin.service", "docker-web.service")


# ---- the command -----------------------------------------------------------------------------------------------------------


def run(root: Path, *argv: str, found: Inventory = NOTHING, ask: Callable[[str], str] | None = None) -> tuple[Exit, str]:
    seen: list[HostSettings] = []

    async def survey(host: HostSettings, known_hosts: str | None) -> Inventory:
        seen.append(host)
        return found

    async def guests(at: Path) -> tuple[str, ...]:
        return ("home/105 nixos (running)",)

    out = StringIO()
    args = parser.build("0").parse_args(["adopt", str(root), *argv])
    code = command.run(args, replace(open_adopt(ask), survey=survey, guests=guests), Pipe(out))
    return code, out.getvalue()


def test_the_command_shows_then_writes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    code, text = run(root, "--inventory")
    assert code is Exit.TO_DO and not (root / "cockpit.yaml").exists()
    for words in (
        "nixos runs NixOS 25.05",
        "guest home/105 nixos (running)",
        "+++ b/nixos/cockpit-host.nix",
        "nothing was written",
    ):
        assert words in text
    code, text = run(root, "--yes")
    assert code is Exit.DONE and "nothing is committed" in text and "1. git add cockpit.yaml .gitignore nixos/" in text
    code, text = run(root, "--output", "json")
    assert code is Exit.DONE and json.loads(text)["nothing_to_do"] is True


def test_what_is_not_known_is_asked_or_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    (root / "nixos/configuration.nix").write_text("{ }\n")
    code, text = run(root)
    assert code is Exit.USAGE and "--address ADDRESS" in text
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "100.64.0.7"

    code, text = run(root, ask=ask)
    assert code is Exit.TO_DO and "address: 100.64.0.7" in text and len(questions) == 1
    run(root, "--address", "100.64.0.7", "--yes")
    (root / "nixos/cockpit/programs/common.sh").write_text("of an older cockpit\n")
    code, text = run(root, "--yes")
    assert code is Exit.DONE and "1 files written" in text, "what cockpit.yaml says is not asked again"
    (root / "cockpit.yaml").unlink()
    code, text = run(root, "--host", "other", "--address", "x")
    assert code is Exit.USAGE and "the flake has no host other" in text
    code, text = run(root, "--address", "x", "--deploy-key", str(root / "none.pub"))
    assert code is Exit.USAGE and "none.pub cannot be read" in text
    for key in (f"{KEY} ${{builtins.readFile /etc/hosts}}", "ssh-ed25519 AAAA", "OPENSSH PRIVATE KEY"):
        (root / "key.pub").write_text(key)
        for given in (str(root / "key.pub"), key) if key.startswith("ssh-") else (str(root / "key.pub"),):
            code, text = run(root, "--address", "x", "--deploy-key", given)
            assert code is Exit.USAGE and "ssh key" in text, text


def test_the_reference_is_found() -> None:
    assert (open_adopt(None).reference / "nix/modules/cockpit.nix").is_file()
