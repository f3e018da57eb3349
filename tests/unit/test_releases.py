"""Releases as data: the file, the comparison, and a plan that only looks."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cockpit.adapters.nixos.contents import SCRIPT, built
from cockpit.adapters.nixos.shapes import project_contents
from cockpit.cli import parser
from cockpit.cli.main import run
from cockpit.cli.output import Pipe
from cockpit.domain import comparing
from cockpit.domain.contents import MOST_BYTES, Contents, Kernel, ProjectContents, ReleaseFile, ServiceContents, decode, encode
from cockpit.domain.errors import BuildFailed, Exit, UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.hosts import Hold
from cockpit.wiring import as_another
from scripts.paths import TOP
from tests.unit.fakes import Homelab, homelab, sha


def store(name: str, letter: str = "a") -> str:
    return f"/nix/store/{letter * 32}-{name}"


WEB = ServiceContents(image="web:1", config="1", mounts=("web.conf",), secrets=("password",))
PROJECT = ProjectContents(
    entries={"compose.yaml": store("c"), "web.conf": store("w"), ".env": store("e")},
    secrets={"password": store("s")},
    services={"web": WEB, "db": ServiceContents(image="db:1", config="2")},
)
OLD = Contents(
    host="alpha",
    closure=store("nixos-system-alpha"),
    commit=sha("b"),
    kernel=Kernel("6.12.58", (store("linux"),)),
    paths=(store("nixos-system-alpha"), store("openssl-3.0.1")),
    units={"a.service": "1", "gone.service": "1", "quiet.service": "1", "calm.service": "1"},
    reloads=("calm.service",),
    stays=("quiet.service",),
    has_cockpit=True,
    projects={"core": PROJECT},
)


def with_project(**changes: Any) -> Contents:  # noqa: ANN401 - fields of a project
    return replace(OLD, projects={"core": replace(PROJECT, **changes)})


def with_web(**changes: Any) -> Contents:  # noqa: ANN401 - fields of a service
    return with_project(services={**PROJECT.services, "web": replace(WEB, **changes)})


def reasons(new: Contents) -> dict[str, str]:
    return {f"{c.project}/{c.service} {c.change.value}": c.why for c in comparing.services(OLD, new)}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD, {}),
        (with_web(image="web:2"), {"core/web recreate": "image"}),
        (with_web(config="other"), {"core/web recreate": "config"}),
        (with_project(entries=PROJECT.entries | {"web.conf": store("w", "b")}), {"core/web recreate": "mount web.conf"}),
        (with_project(entries=PROJECT.entries | {".env": store("e", "b")}), {}),
        (with_project(entries=PROJECT.entries | {"README": store("r")}), {}),
        (
            with_project(secrets={"password": store("s", "b")}),
            {"core/web recreate": "secret password, if its value is another"},
        ),
        (with_project(services={"web": WEB}), {"core/db remove": "no longer in the release"}),
        (
            replace(OLD, projects={}),
            {"core/db remove": "project is no longer in the release", "core/web remove": "project is no longer in the release"},
        ),
        (
            replace(OLD, projects={"core": PROJECT, "more": ProjectContents(services={"x": WEB})}),
            {"more/x create": ""},
        ),
    ],
)
def test_services(new: Contents, expected: dict[str, str]) -> None:
    assert reasons(new) == expected


def test_a_service_that_interpolates_depends_on_the_env_file() -> None:
    old = with_web(interpolated=True)
    new = replace(old, projects={"core": replace(old.projects["core"], entries=PROJECT.entries | {".env": store("e", "b")})})
    assert [(c.service, c.why) for c in comparing.services(old, new)] == [("web", "values of .env")]


def test_units_by_how_they_take_a_change() -> None:
    new = replace(OLD, units={"a.service": "2", "quiet.service": "2", "calm.service": "2", "new.service": "1"})
    found = comparing.units(OLD, new)
    assert (found.stop, found.restart, found.reload, found.start) == (
        ("gone.service",),
        ("a.service",),
        ("calm.service",),
        ("new.service",),
    )


def test_packages_kernel_and_secrets() -> None:
    new = replace(
        with_project(secrets={"other": store("s")}),
        paths=(store("openssl-3.0.2"),),
        kernel=Kernel("6.12.60", (store("linux", "b"),)),
    )
    assert [(p.name, p.old, p.new) for p in comparing.packages(OLD, new)][-1] == ("openssl", "3.0.1", "3.0.2")
    assert comparing.packages(replace(OLD, paths=()), new) == ()
    assert comparing.reboot(OLD, new) == ("6.12.58", "6.12.60")
    assert comparing.reboot(OLD, OLD) is None
    assert [(s.name, s.change) for s in comparing.secrets(OLD, new)] == [("other", "new"), ("password", "removed")]
    moved = with_project(secrets={"password": store("s", "b")})
    assert [(s.name, s.change) for s in comparing.secrets(OLD, moved)] == [("password", "file changed")]


def test_advice_is_that_of_the_host() -> None:
    """The sentences of nix/programs/check.sh."""
    new = with_project(pinned=False, services={"web": replace(WEB, open_ports=("8080",), environment=("TOKEN",))})
    problems, warnings = comparing.advice(new)
    assert [(p.exit, p.what) for p in problems] == [(Exit.REFUSED, "a secret in the environment: core/web: TOKEN")]
    assert len(warnings) == 2 and "not pinned" in warnings[0] and "port 8080 is published" in warnings[1]
    problems, warnings = comparing.advice(replace(new, projects={"core": replace(new.projects["core"], env_secrets="allow")}))
    assert not problems and any("env_secrets: allow" in w for w in warnings)


# ---- compose files -----------------------------------------------------------------------------------------------------------

COMPOSE = b"""\
services:
  web:
    image: web:1
    environment: {URL: "https://$DOMAIN"}
    volumes: ["./conf/x.yml:/x:ro", "data:/data", "/etc/localtime:/etc/localtime:ro"]
    configs: [site]
    secrets: [password, {source: other}]
  db: {image: "db:1", env_file: [db.env]}
configs: {site: {file: ./site.conf}}
secrets:
  password: {file: /run/cockpit/secrets/core/db-password}
  other: {file: ./plain.txt}
"""
MANIFEST = {
    "entries": {"compose.yaml": store("c"), "conf": store("d"), "bad": "/etc/passwd"},
    "encrypted": {"db.env": {"path": store("x"), "format": "dotenv"}},
    "compose": ["compose.yaml"],
    "services": {
        "web": {"image": "web:1", "ports_open": ["80"]},
        "db": {"image": "db:1", "env_files": ["db.env"], "plain_secrets": ["PASSWORD"]},
    },
    "secrets": {"db-password": {"path": store("s"), "key": "a"}},
    "pinned": False,
}


def test_what_compose_files_say_of_services() -> None:
    found = project_contents("core", MANIFEST, [COMPOSE])
    web, db = found.services["web"], found.services["db"]
    assert web.mounts == ("conf", "plain.txt", "site.conf") and web.secrets == ("db-password",) and web.interpolated
    assert web.open_ports == ("80",) and not web.environment
    assert db.mounts == ("db.env",) and db.environment == ("PASSWORD", "db.env") and not db.interpolated
    assert found.entries == {"compose.yaml": store("c"), "conf": store("d"), "db.env": store("x")}
    assert found.secrets == {"db-password": store("s")} and not found.pinned


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ((b"image: web:1", b"image: web:2"), True),  # the image is compared by itself
        ((b"$DOMAIN", b"$OTHER"), False),
        ((b"./site.conf", b"./other.conf"), False),  # named elsewhere in the file
        ((b'image: "db:1"', b'image: "db:1", user: "1"'), True),  # of another service
    ],
)
def test_the_digest_of_a_service(change: tuple[bytes, bytes], same: bool) -> None:
    before = project_contents("core", MANIFEST, [COMPOSE]).services["web"].config
    assert (project_contents("core", MANIFEST, [COMPOSE.replace(*change)]).services["web"].config == before) is same


def test_compose_files_are_merged_as_compose_does() -> None:
    """Lists behind each other, but for a command; what an override takes away or says instead counts alone."""

    def web(base: bytes, override: bytes) -> ServiceContents:
        return project_contents("core", MANIFEST, [base, override]).services["web"]

    more = b'services: {web: {volumes: ["./more.yml:/y:ro"], command: [b]}}\n'
    found = web(COMPOSE, more)
    assert found.mounts == ("conf", "more.yml", "plain.txt", "site.conf")
    assert web(COMPOSE.replace(b"./conf/x.yml:/x:ro", b"./conf/x.yml:/z:ro"), more).config != found.config
    base = COMPOSE.replace(b"    image: web:1\n", b"    image: web:1\n    command: [a]\n")
    assert web(base, more).config == found.config
    assert web(COMPOSE, b"services: {web: {volumes: !reset []}}").mounts == ("plain.txt", "site.conf")
    instead = b'services: {web: {volumes: !override ["./more.yml:/y:ro"], environment: !override {A: b}}}'
    assert web(COMPOSE, instead).mounts == ("more.yml", "plain.txt", "site.conf")
    assert web(COMPOSE, instead.replace(b"A: b", b"A: c")).config != web(COMPOSE, instead).config


def test_broken_compose_files_are_told() -> None:
    with pytest.raises(BuildFailed, match="core: a compose file does not parse"):
        project_contents("core", MANIFEST, [b"a: [", b""])


async def test_a_system_that_says_strange_things() -> None:
    """A host's answer is outside text as well."""
    fields = {
        "closure": store("nixos-system-x"),
        "kernel": f"{store('linux')}/bzImage\n/etc/passwd",
        "version": "6.12\x1b[2J",
        "paths": f"{store('a')}\n/nix/store/../../etc\nrubbish",
        "manifest": json.dumps({"commit": "main", "projects": {"core": MANIFEST, "odd": 5}}),
        "units": f"{'1' * 64}  a.service\n{'2' * 64}  a.service.d/o.conf\n{'3' * 64}  b.service\nnonsense",
        "reloads": "b.service\na.service.d/o.conf",
    }
    asked: list[tuple[str, ...]] = []

    async def ask(script: bytes, *words: str) -> bytes:
        asked.append(words)
        if len(asked) == 1:
            return b"".join(f"{k}\0{v}\0".encode() for k, v in fields.items())
        return b"".join(name.encode() + b"\0" + COMPOSE + b"\0" for name in words)

    found = await built("x", ask, store("nixos-system-x"))
    assert asked[1] == (store("c"),)
    assert found.commit is None and found.kernel == Kernel("6.12", (f"{store('linux')}/bzImage",))
    assert found.paths == (store("a"),)
    assert set(found.units) == {"a.service", "b.service"} and found.units["b.service"] == "3" * 64
    assert found.reloads == ("a.service", "b.service") and set(found.projects) == {"core"}


@pytest.mark.parametrize("own", [True, False])
def test_a_container_has_no_kernel_that_could_be_another(tmp_path: Path, own: bool) -> None:
    """A system of a container brings none: nothing of it needs a reboot. On the host and in a plan that only looks."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nixos-version").touch()
        if own:
            (tmp_path / name / "bzImage").touch()
            (tmp_path / name / "kernel").symlink_to("bzImage")
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    check = f". {TOP}/nix/programs/check.sh; same_kernel {old} {new}"
    assert (subprocess.run(["bash", "-c", check], check=False).returncode == 0) is not own
    told = subprocess.run(["sh", "-s", "--", new, new], input=SCRIPT.read_bytes(), capture_output=True, check=True).stdout
    fields = dict(zip(*[iter(told.decode().split("\0"))] * 2, strict=False))
    assert fields["kernel"].strip() == (f"{new}/bzImage" if own else "")


# ---- the file ----------------------------------------------------------------------------------------------------------------

FILE = ReleaseFile(sha("c"), "Update paperless", (OLD,))


def test_the_file_says_what_was_written() -> None:
    assert decode(encode(FILE)) == FILE


def _as(**changes: Any) -> bytes:  # noqa: ANN401 - fields of a system
    data = json.loads(encode(FILE))
    data["hosts"][0] |= changes
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b" " * (MOST_BYTES + 1),
        b"\xff\xfe",
        _as(closure="/etc/passwd"),
        _as(closure="/nix/store/../../etc/passwd"),
        _as(paths=["/nix/store/x; reboot"]),
        _as(paths=[f"{store('a')}/../../../etc"]),
        _as(paths=[f"{store('a')}\n::error::"]),
        _as(paths=[5]),
        _as(commit="main"),
        _as(surprise=1),
        _as(units={"a" * 5000: "1"}),
        _as(units={f"u{i}": "" for i in range(60_000)}),
        _as(projects={"core": {"secrets": {"x": "/etc/shadow"}}}),
        encode(replace(FILE, schema=2)),
        encode(replace(FILE, commit="HEAD")),
        encode(replace(FILE, hosts=(OLD, OLD))),
        encode(replace(FILE, subject="\x1b]0;mine\x07")),
        encode(replace(FILE, subject="a" * 5000)),
        _as(host="al\npha"),
        _as(units={"\u202ea": "1"}),
    ],
    ids=range(24),
)
def test_a_file_that_is_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        decode(data)


# ---- the actions -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab() -> Homelab:
    made = homelab(("alpha",))
    made.alpha.consists = OLD
    made.alpha.forbidden |= {"haves", "receive", "build", "check", "run", "diff"}
    return made


async def look(lab: Homelab, release: ReleaseFile | None = None, revision: str | None = None) -> Outcome:
    return await lab.cockpit.read_only.execute(["alpha"], revision, release, run=lab.cockpit.runs.new())


async def test_a_plan_of_a_file_only_looks(lab: Homelab) -> None:
    new = replace(with_web(image="web:2"), closure=store("nixos-system-alpha", "b"), commit=sha("c"))
    outcome = await look(lab, ReleaseFile(sha("c"), "Update paperless", (new,)))
    assert outcome.exit is Exit.TO_DO
    assert lab.alpha.calls == ["facts", "contents"]
    plan = lab.cockpit.runs.list()[0].plan
    assert plan is not None
    (host,) = plan.hosts
    assert [s.service for s in host.interrupted] == ["web"]
    assert any("no trial activation" in line for line in host.unknown)
    assert not any("does not have it" in line for line in host.unknown)
    assert lab.audit.all == []


async def test_what_the_rules_forbid_is_said_of_a_commit_that_is_known(lab: Homelab) -> None:
    new = replace(OLD, closure=store("nixos-system-alpha", "b"))
    outcome = await look(lab, ReleaseFile(sha("a"), "", (new,)))
    assert outcome.exit is Exit.REFUSED and "does not contain" in outcome.hosts[0].text
    lab.alpha.hold = Hold("r1", (sha("c"),), "ada", 0.0)
    outcome = await look(lab, ReleaseFile(sha("c"), "", (new,)))
    assert outcome.exit is Exit.REFUSED and "held" in outcome.hosts[0].text


async def test_of_a_commit_that_is_not_known_it_says_so(lab: Homelab) -> None:
    new = replace(OLD, closure=store("nixos-system-alpha", "b"))
    assert (await look(lab, ReleaseFile("d" * 40, "", (new,)))).exit is Exit.TO_DO
    plan = lab.cockpit.runs.list()[0].plan
    assert plan is not None and any("this clone does not have it" in line for line in plan.hosts[0].unknown)


async def test_the_same_system_is_nothing_to_do(lab: Homelab) -> None:
    lab.alpha.profile = OLD.closure
    outcome = await look(lab, ReleaseFile(sha("c"), "", (OLD,)))
    assert outcome.exit is Exit.DONE and not outcome.hosts[0].changed


async def test_a_file_of_another_host(lab: Homelab) -> None:
    outcome = await look(lab, ReleaseFile(sha("c"), "", (replace(OLD, host="beta"),)))
    assert outcome.exit is Exit.USAGE and "says nothing of alpha" in outcome.hosts[0].text
    assert lab.alpha.calls == []


async def test_an_observer_may_look(lab: Homelab) -> None:
    lab.cockpit.gate._observes = True
    new = replace(OLD, closure=store("nixos-system-alpha", "b"))
    assert (await look(lab, ReleaseFile(sha("c"), "", (new,)))).exit is Exit.TO_DO


async def test_a_release_asks_no_host(lab: Homelab) -> None:
    lab.builder.systems["alpha", sha("c")] = OLD
    lab.alpha.trouble.unreachable = True
    written: list[ReleaseFile] = []
    outcome = await lab.cockpit.releases.execute(["alpha"], None, run=lab.cockpit.runs.new(), write=written.append)
    assert outcome.exit is Exit.DONE and lab.alpha.calls == []
    assert written == [ReleaseFile(sha("c"), "Update paperless", (OLD,))]


async def test_a_subject_of_any_kind_makes_a_file_that_can_be_read(lab: Homelab) -> None:
    lab.builder.systems["alpha", sha("c")] = OLD
    lab.repository.commits[sha("c")] = lab.repository.commit("c", "b", subject="\x1b[2J\u200dfine\t" + "a" * 5000)
    written: list[ReleaseFile] = []
    await lab.cockpit.releases.execute(["alpha"], None, run=lab.cockpit.runs.new(), write=written.append)
    assert decode(encode(written[0])).subject.startswith("fine a")


async def test_a_release_that_cannot_be_built_or_has_changes(lab: Homelab) -> None:
    lab.builder.systems["alpha", sha("c")] = BuildFailed("the system of alpha cannot be built", "syntax error")
    outcome = await lab.cockpit.releases.execute(["alpha"], None, run=lab.cockpit.runs.new(), write=lambda made: None)
    assert outcome.exit is Exit.BUILD
    lab.repository.modified = ("cockpit.yaml",)
    outcome = await lab.cockpit.releases.execute(["alpha"], None, run=lab.cockpit.runs.new(), write=lambda made: None)
    assert outcome.exit is Exit.REFUSED


async def test_without_a_file_it_is_built_here(lab: Homelab) -> None:
    new = replace(OLD, closure=store("nixos-system-alpha", "b"))
    lab.builder.systems["alpha", sha("c")] = new
    assert (await look(lab)).exit is Exit.TO_DO
    assert lab.alpha.calls == ["facts", "contents"]


# ---- the command line --------------------------------------------------------------------------------------------------------


def command(lab: Homelab, *argv: str) -> tuple[int, str]:
    """(exit code, what it printed)."""
    out = io.StringIO()
    args = parser.build("0").parse_args(["--config", "/homelab/cockpit.yaml", *argv, "--output", "text"])
    return int(run(args, lambda _: lab.cockpit, Pipe(out))), out.getvalue()


def test_from_the_command_line(lab: Homelab, tmp_path: Path) -> None:
    new = replace(with_web(image="web:2"), closure=store("nixos-system-alpha", "b"), commit=sha("c"))
    lab.builder.systems["alpha", sha("c")] = new
    file = str(tmp_path / "release.json")
    code, text = command(lab, "release", "alpha", "--file", file)
    assert code == 0 and "built /nix/store/" in text
    code, text = command(lab, "plan", "alpha", "--read-only", "--release", file)
    assert code == 10 and "core/web recreate (image) web:1 -> web:2" in text and "not known" in text


@pytest.mark.parametrize(
    "argv",
    [
        ("--as", "somebody"),
        ("--release", "FILE"),
        ("--read-only", "--resume"),
        ("--read-only", "--take", "git", "all"),
        ("--read-only", "--release", "FILE", "--commit", "main"),
        ("--read-only", "--release", "/nowhere"),
        ("--read-only", "--release", "/dev/zero"),
        ("--read-only", "--release", "LINK"),
        ("--read-only", "--release", "PIPE"),
    ],
)
def test_what_cannot_be_meant_is_refused(lab: Homelab, tmp_path: Path, argv: tuple[str, ...]) -> None:
    file = tmp_path / "release.json"
    file.write_bytes(encode(FILE))
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe")
    names = {"FILE": str(file), "LINK": str(tmp_path / "link"), "PIPE": str(tmp_path / "pipe")}
    assert command(lab, "plan", *(names.get(word, word) for word in argv))[0] == 2
    assert lab.alpha.calls == []


def test_a_file_that_cannot_be_written(lab: Homelab) -> None:
    lab.builder.systems["alpha", sha("c")] = OLD
    assert command(lab, "release", "--file", "/nowhere/release.json")[0] == 2


def test_as_another_user_enters_every_host() -> None:
    settings = homelab().cockpit.settings
    assert {host.user for host in as_another(settings, "reader").hosts.values()} == {"reader"}
