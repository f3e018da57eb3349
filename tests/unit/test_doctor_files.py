"""Doctor on compose files, the flake, OpenTofu and workflows: what it says when one thing is spoilt."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cockpit.actions.doctor import CHECKS, examine
from cockpit.domain.settings import EnvSecrets, SecretStyle
from tests.unit.clinic import ADA, DIGEST, HOST_KEY, RECOVERY, Clinic, sealed
from tests.unit.fake_clock import START
from tests.unit.spoilt import (
    ADDED,
    COMPOSE_FILE,
    DAY,
    FAIL,
    NOTE,
    SKIPPED,
    WARN,
    Spoilt,
    both,
    compose,
    edit,
    gone,
    says,
    without,
    write,
)

SPOILT = (
    # compose
    Spoilt("compose.parses", write(COMPOSE_FILE, "services:\n  web: [\n"), FAIL, "", "", "compose/web/compose.yaml:3"),
    Spoilt("compose.parses", compose("  socket-proxy:\n", "  traefik:\n"), FAIL, "traefik: stands here twice"),
    Spoilt("compose.parses", write(COMPOSE_FILE, "service: {}\n"), FAIL, "it names no services"),
    Spoilt(
        "compose.config",
        both(lambda c: c.machine.codes.update(config=15), says("config", "yaml: line 7: no")),
        FAIL,
        "web: compose refuses it",
        "",
        f"{COMPOSE_FILE}:7",
    ),
    Spoilt("compose.config", without("docker-compose"), SKIPPED, "docker compose is not installed here"),
    Spoilt("compose.variables", gone("compose/web/.env"), FAIL, "TAILNET_IP is not set", "compose/web/.env", f"{COMPOSE_FILE}:5"),
    Spoilt("compose.files", gone("compose/web/traefik.env"), FAIL, "there is no traefik.env", "", f"{COMPOSE_FILE}:6"),
    Spoilt(
        "compose.examples",
        edit("compose/web/.env", "home.test", "home.example.org"),
        WARN,
        "DOMAIN is still the example's",
        "cockpit init",
        "compose/web/.env",
    ),
    Spoilt(
        "compose.files",
        lambda c: c.of_project(secrets=()),
        FAIL,
        "nothing renders /run/cockpit/secrets/web/token",
        "projects.web.secrets",
        f"{COMPOSE_FILE}:19",
    ),
    Spoilt(
        "compose.environment", compose(ADDED, f"{ADDED}    environment: [DB_PASSWORD=hunter2]\n"), FAIL, "DB_PASSWORD is a secret"
    ),
    Spoilt(
        "compose.environment",
        both(
            lambda c: c.of_project(env_secrets=EnvSecrets.ALLOW),
            lambda c: c.edit(COMPOSE_FILE, ADDED, f"{ADDED}    environment: {{DB_PASSWORD: hunter2}}\n"),
        ),
        NOTE,
        "DB_PASSWORD is a secret",
    ),
    Spoilt(
        "compose.environment",
        edit("compose/web/.env", "DOMAIN", "API_TOKEN=abc\nDOMAIN"),
        FAIL,
        "API_TOKEN is a secret",
        "",
        "compose/web/.env",
    ),
    Spoilt(
        "compose.socket",
        compose("./dynamic:/etc/traefik/dynamic:ro", "/var/run/docker.sock:/var/run/docker.sock"),
        FAIL,
        "traefik: has the engine's socket",
        "tcp://socket-proxy:2375",
        f"{COMPOSE_FILE}:9",
    ),
    Spoilt("compose.socket", compose("docker.sock:ro", "docker.sock"), WARN, "mounted writable"),
    Spoilt(
        "compose.ports",
        compose("${TAILNET_IP:?}:443:443", "443:443"),
        WARN,
        "port 443 is published on every address",
        'write "127.0.0.1:443:443"',
        f"{COMPOSE_FILE}:5",
    ),
    Spoilt("compose.binds", compose("dynamic:ro", "dynamic"), WARN, "may write to ./dynamic", "", f"{COMPOSE_FILE}:9"),
    Spoilt("compose.binds", compose("./dynamic:", "./dynamik:"), WARN, "there is no ./dynamik"),
    Spoilt("compose.binds", compose("./dynamic:", "../dynamic:"), FAIL, "outside the project's folder"),
    Spoilt(
        "compose.health",
        compose("    healthcheck: {test: [CMD, traefik, healthcheck]}\n", ""),
        WARN,
        "traefik: no health check",
        "",
        f"{COMPOSE_FILE}:2",
    ),
    Spoilt("compose.health", compose("{test: [CMD, ./healthcheck]}", "{disable: true}"), WARN, "switched off"),
    Spoilt(
        "compose.images", compose("traefik:v3.7.9", "traefik:latest"), WARN, "traefik:latest has no version", "cockpit lock web"
    ),
    Spoilt("compose.lock", gone("compose/web/compose.lock.yaml"), NOTE, "not pinned by digest", "cockpit lock"),
    Spoilt("compose.lock", compose("traefik:v3.7.9", "traefik:v3.8.0"), FAIL, "the lock is not for traefik:v3.8.0"),
    Spoilt("compose.lock", compose("traefik:v3.7.9", "traefik:$TAG"), FAIL, "traefik should not be in the lock"),
    Spoilt("compose.lock", compose("traefik:v3.7.9", "traefik:v3.7.9\n    build: ."), FAIL, "traefik should not be in the lock"),
    Spoilt(
        "compose.lock",
        edit("compose/web/compose.lock.yaml", "socket-proxy:\n", "proxy:\n"),
        WARN,
        "socket-proxy: wollomatic/socket-proxy:1.13.1 is not in the lock",
    ),
    Spoilt("compose.privilege", compose(ADDED, f"{ADDED}    privileged: true\n"), WARN, "traefik: is privileged"),
    Spoilt("compose.privilege", compose(ADDED, f"{ADDED}    network_mode: host\n"), NOTE, "in the host's network"),
    # nix
    Spoilt("nix.locked", gone("nix/flake.lock"), FAIL, "there is no flake.lock", "nix flake lock ./nix", "nix/flake.nix"),
    Spoilt(
        "nix.locked",
        edit("nix/flake.nix", "  outputs", '  inputs.disko = { url = "x"; };\n  outputs'),
        FAIL,
        "the input disko is not locked",
    ),
    Spoilt("nix.age", lambda c: setattr(c.clock, "time", START + 100 * DAY), WARN, "nixpkgs is 105 days old"),
    Spoilt("nix.hosts", lambda c: c.of_host(flake="nix#beta"), FAIL, "nix#beta is not in the flake"),
    Spoilt(
        "nix.hosts",
        edit("nix/flake.nix", "system.configurationRevision = self.rev or null;", ""),
        WARN,
        "configurationRevision is not set",
    ),
    Spoilt(
        "nix.site",
        edit("nix/hosts/alpha/site.nix", ' deploy = [ "ssh-ed25519 AAAAC3Nz" ]', ' deploy = [\n # "ssh-ed25519 AAAA"\n ]'),
        FAIL,
        "deploy has no ssh key",
        "",
        "nix/hosts/alpha/site.nix:2",
    ),
    Spoilt("nix.site", edit("nix/hosts/alpha/site.nix", '"alpha"', '"homelab"'), WARN, "hostName is homelab"),
    Spoilt("nix.boot", edit("nix/hosts/alpha/default.nix", "= 20", "= 99"), NOTE, "up to 99 generations on /boot"),
    Spoilt(
        "nix.boot",
        edit("nix/hosts/alpha/default.nix", "= 20", "= 10"),
        WARN,
        "the boot menu has 10 generations, and cockpit keeps 15",
        "configurationLimit = 20",
    ),
    # tofu, workflows
    Spoilt("tofu.pins", edit("tofu/main.tf", '"3.0.2-rc09"', '"~> 3.0"'), WARN, "not pinned exactly"),
    Spoilt("tofu.pins", edit("tofu/main.tf", '      version = "3.0.2-rc09"\n', ""), FAIL, "proxmox has no version"),
    Spoilt("tofu.pins", edit("tofu/main.tf", "3.0.2-rc09", "3.0.2"), FAIL, "the lock has proxmox 3.0.2-rc09, not 3.0.2"),
    Spoilt("tofu.state", write("tofu/terraform.tfstate", '{"version": 4, "resources": []}'), FAIL, "the state is plain text"),
    Spoilt("tofu.state", edit("tofu/main.tf", "encryption {", "# encryption {"), WARN, "state and plan are not encrypted"),
    Spoilt(
        "tofu.variables",
        edit("tofu/homelab.auto.tfvars.json", "{", '{"pm_api_token_secret": "x",\n'),
        FAIL,
        "pm_api_token_secret is a secret",
    ),
    Spoilt(
        "workflows.actions",
        edit(".github/workflows/deploy.yml", "a" * 40, "v6"),
        WARN,
        "actions/checkout is not pinned",
        "",
        ".github/workflows/deploy.yml:5",
    ),
    Spoilt(
        "workflows.names",
        edit(
            ".github/workflows/deploy.yml",
            "cockpit deploy",
            "${{ vars.DEPLOY_HOST }} ${{ secrets.SSH_KEY }} ${{ vars.WHO || 'me' }} cockpit deploy # or ${{ secrets.ANOTHER }}",
        ),
        NOTE,
        "needs secrets.SSH_KEY, vars.DEPLOY_HOST",
        "gh secret set SSH_KEY; gh variable set DEPLOY_HOST",
    ),
    Spoilt(
        "workflows.names",
        edit(".github/workflows/deploy.yml", "permissions", "x-permissions"),
        WARN,
        "no permissions: at the top",
    ),
)


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda s: f"{s.check}: {s.what}")
async def test_what_is_spoilt_is_found(spoilt: Spoilt) -> None:
    await spoilt.is_found()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("${TAILNET_IP:?}:443:443", "${TAILNET_IP}:443:443/tcp"),
        ("${TAILNET_IP:?}:443:443", "[fd7a::7]:443:443"),
        ("restart: unless-stopped\n    ports", "extends: {service: socket-proxy}\n    restart: always\n    ports"),
        ("v3.7.9\n", "v3.7.9 # the newest\n"),
        ("services:\n", "x-common: &common {restart: always}\nservices:\n"),
    ],
)
async def test_other_ways_to_write_the_same_are_fine(old: str, new: str) -> None:
    clinic = Clinic()
    clinic.edit(COMPOSE_FILE, old, new)
    for check in CHECKS:
        if check.id.startswith("compose."):
            assert await clinic.look(check.id) == (), check.id


async def test_keys_and_images_of_the_lock_with_registries_and_digests() -> None:
    clinic = Clinic()
    clinic.edit(COMPOSE_FILE, "traefik:v3.7.9", "registry.lan:5000/traefik:v3")
    clinic.edit("compose/web/compose.lock.yaml", "traefik:v3.7.9", "registry.lan:5000/traefik:v3")
    assert await clinic.look("compose.lock") == await clinic.look("compose.images") == ()
    clinic.edit(COMPOSE_FILE, "registry.lan:5000/traefik:v3", f"registry.lan:5000/traefik@{DIGEST}")
    assert await clinic.look("compose.images") == ()


ENCRYPTED = sealed("TAILNET_IP=1\nDOMAIN=1\n", ADA, RECOVERY, HOST_KEY).replace(b"=1", b"=ENC[AES256_GCM,data:x,iv:y]")


@pytest.mark.parametrize("name", [".env", ".env.enc"])
@pytest.mark.parametrize("names", [True, False], ids=["names", "binary"])
async def test_what_is_encrypted_is_taken_for_set_and_no_value_is_made_of_it(name: str, names: bool) -> None:
    clinic = Clinic()
    assert clinic.settings is not None
    style = SecretStyle.SIDECAR if name.endswith(".enc") else SecretStyle.FILE
    clinic.settings = replace(clinic.settings, secret_style=style)
    clinic.files.pop("compose/web/.env")
    clinic.write(f"compose/web/{name}", ENCRYPTED if names else b'{\n"data": "ENC[...]"}\n' + ENCRYPTED[ENCRYPTED.index(b"#") :])
    for check in CHECKS:
        if check.id == "compose.config":
            assert [f.what for f in await clinic.look(check.id)] == ["web: files of it are encrypted"]
        elif check.id == "certificates.routers":
            assert [(f.level, f.what) for f in await clinic.look(check.id)] == [(SKIPPED, "1 name cannot be told")]
        elif check.id.startswith(("compose.", "mesh.")):
            assert await clinic.look(check.id) == (), check.id
    if names:
        clinic.write(f"compose/web/{name}", ENCRYPTED.replace(b"TAILNET_IP", b"OTHER"))
        assert [f.what for f in await clinic.look("compose.variables")] == ["TAILNET_IP is not set"]


async def test_a_file_that_a_sidecar_stands_for_is_there() -> None:
    clinic = Clinic()
    assert clinic.settings is not None
    clinic.files["compose/web/traefik.env.enc"] = clinic.files.pop("compose/web/traefik.env")
    assert [f.what for f in await clinic.look("compose.files")] == ["traefik: there is no traefik.env in compose/web"]
    clinic.settings = replace(clinic.settings, secret_style=SecretStyle.SIDECAR)
    assert await clinic.look("compose.files") == ()


async def test_an_override_counts_as_for_cockpit_lock_and_compose() -> None:
    clinic = Clinic()
    clinic.write("compose/web/compose.override.yaml", "services:\n  whoami: {image: traefik/whoami:v1}\n")
    clinic.edit("compose/web/compose.lock.yaml", "services:\n", f"services:\n  whoami: {{image: traefik/whoami:v1@{DIGEST}}}\n")
    assert await clinic.look("compose.lock") == await clinic.look("compose.config") == ()
    given = [word.rpartition("/")[2] for word in clinic.machine.asked[-1] if word.endswith(".yaml")]
    assert given == ["compose.yaml", "compose.override.yaml", "compose.lock.yaml"]
    clinic.edit("compose/web/compose.override.yaml", "whoami:v1", "whoami:v2")
    assert [(f.level, f.what) for f in await clinic.look("compose.lock")] == [
        (FAIL, "whoami: the lock is not for traefik/whoami:v2")
    ]


async def test_a_lock_that_is_no_yaml_is_told_with_its_place() -> None:
    clinic = Clinic()
    clinic.write("compose/web/compose.lock.yaml", "services: {\n")
    (found,) = await clinic.look("compose.lock")
    assert found.level is FAIL and "compose/web/compose.lock.yaml:2 does not parse" in found.what


NASTY = (
    "services: []",
    "services: {a: null, b: 7, c: [x]}",
    "services: {a: {image: [], ports: {}, volumes: 3, environment: [7, {}], healthcheck: yes, env_file: {path: 1}, labels: [a]}}",
    "services: {a: {image: '::::', ports: [8080, '::', '${', '1-3:1-3/udp', {target: 1}]}}",
    "services: {a: {image: x, volumes: ['', ':', {type: bind}, a:b:c:d]}}",
    "services: {a: {image: '${IMAGE:-x}@sha256:zz', env_file: [../../etc/passwd, '', ~], cap_add: {ALL: 1}, restart: []}}",
    "services: {a: &a {<<: *a}}",
    "services: {a: {<<: [{image: x}, {image: y}], '<<': 7}}",
    "secrets: {x: [], y: {file: 7}, z: null}\nservices: {a: {secrets: x, privileged: {}, pid: [host]}}",
    "? [a, b]\n: c\nservices:\n  ? {x: y}\n  : {image: z}",
    "!!binary x",
    "- a",
    "",
    "\0",
    "services: {a: {image: x, volumes: [./\u202e:/x], environment: {PASSWORD: 1}}}",
)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("path", [COMPOSE_FILE, "compose/web/compose.lock.yaml"])
async def test_whatever_a_file_says_no_check_breaks(path: str, text: str) -> None:
    clinic = Clinic()
    clinic.write(path, text)
    found = await examine(clinic.context(), [check for check in CHECKS if not check.online])
    assert not [(result.check.id, result.findings) for result in found.results if result.broken]


OTHER_FILES = (
    "nix/flake.nix",
    "nix/flake.lock",
    "nix/hosts/alpha/site.nix",
    "tofu/main.tf",
    "tofu/.terraform.lock.hcl",
    "tofu/terraform.tfstate",
    "tofu/homelab.auto.tfvars.json",
    "compose/web/.env",
    ".github/workflows/deploy.yml",
)
NOISE = ("", "{{{{", "}" * 2000, "inputs = {" * 50, '{"nodes": {"root": 7, "nixpkgs": []}}', "\0\xff", "[]", "=" * 5000)


@pytest.mark.parametrize("path", OTHER_FILES)
@pytest.mark.parametrize("text", NOISE, ids=range(len(NOISE)))
async def test_nor_by_any_other_file(path: str, text: str) -> None:
    clinic = Clinic()
    clinic.write(path, text)
    found = await examine(clinic.context(), [check for check in CHECKS if not check.online])
    assert not [(result.check.id, result.findings) for result in found.results if result.broken]
