"""A compose project as its files say it: services with their lines, variables filled in from its `.env`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from cockpit.actions.doctor.context import Context
from cockpit.domain.errors import CockpitError, Complaint, SettingsError
from cockpit.domain.marked import Node
from cockpit.domain.services import COMPOSE_FILES, COMPOSE_LOCK, COMPOSE_OVERRIDES
from cockpit.domain.settings import ProjectSettings, SecretStyle

SIDECAR = ".enc"
_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_]\w*)(?P<how>:?[-?+])?(?P<rest>(?:[^{}]|\{[^{}]*\})*)\}|(?P<bare>[A-Za-z_]\w*))"
)
_PAIR = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*[=:]\s*(.*?)\s*$")


class Variable(Struct, frozen=True):
    name: str
    how: str
    """`-`, `:-`, `?`, `:?`, `+`, `:+`, or empty for one that must simply be set."""
    rest: str
    line: int


class Port(Struct, frozen=True):
    """A published port."""

    ip: str
    """Of the host; empty for every address."""
    published: str
    target: str
    line: int

    @property
    def everywhere(self) -> bool:
        """Whether it is published on every address of the host."""
        return self.ip in ("", "0.0.0.0", "::", "*")  # noqa: S104 - looked for, not listened on


class Mount(Struct, frozen=True):
    source: str
    target: str
    writable: bool
    line: int
    bind: bool


class Service(Struct, frozen=True):
    name: str
    line: int
    node: Node

    @property
    def image(self) -> str:
        return self.node.get("image").text

    def at(self, key: str) -> int:
        """The line of one of its keys; its own where it does not say it."""
        return next((line for name, line, _ in self.node.merged() if name == key), self.line)

    @property
    def oneshot(self) -> bool:
        policy = self.node.get("restart").text or "no"
        return policy in ("no", "false") or policy.startswith("on-failure")


class Project(Struct, frozen=True):
    settings: ProjectSettings
    file: str
    """Its compose file, relative to the repository's top."""
    node: Node
    complaints: tuple[Complaint, ...]
    variables: Mapping[str, str]
    """What its `.env` sets, as far as it is plain text."""
    paths: tuple[str, ...]
    """Files below its folder, relative to it; NAME for a sidecar NAME.enc, as a host has it."""
    sealed: bool = False
    """Its `.env`, or a sidecar, is encrypted: compose cannot read the project here."""
    hidden: frozenset[str] | None = frozenset()
    """What its `.env` sets to values that are encrypted; None where not even the names are legible."""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def folder(self) -> str:
        return self.settings.source

    @property
    def merged(self) -> tuple[str, ...]:
        """What compose is given, relative to the repository's top: its file, the override and the lock where they are."""
        override = next((file for file in COMPOSE_OVERRIDES if file in self.paths), "")
        lock = COMPOSE_LOCK if COMPOSE_LOCK in self.paths else ""
        return (self.file, *(f"{self.folder}/{file}" for file in (override, lock) if file))

    @property
    def services(self) -> tuple[Service, ...]:
        found = self.node.get("services")
        return tuple(Service(name, line, node) for name, line, node in found.pairs if name != "<<")

    def hides(self, name: str) -> bool:
        """Whether a variable is set, or may be, to what cannot be seen here."""
        return name not in self.variables and (self.hidden is None or name in self.hidden)

    def filled(self, text: str) -> str:
        """With its variables; one that nobody sets, and one that is encrypted, is left as it stands."""

        def value(match: re.Match[str]) -> str:
            if match["dollar"]:
                return "$"
            name, how = match["name"] or match["bare"], match["how"] or ""
            if self.hides(name):
                return match[0]
            found = self.variables.get(name)
            if found is not None and (found or not how.startswith(":")):
                return match["rest"] if how.endswith("+") else found
            return match["rest"] if how.endswith("-") else "" if how.endswith("+") else match[0]

        return _VARIABLE.sub(value, text)

    def holds(self, path: str) -> bool:
        """Whether there is a file, or a folder with files, of this name in its folder."""
        name = path.removeprefix("./").rstrip("/")
        return name in ("", ".") or any(one == name or one.startswith(f"{name}/") for one in self.paths)


async def projects(context: Context) -> tuple[Project, ...]:
    """Those that can be parsed."""
    found = [await load(context, name) for name in context.projects]
    return tuple(project for project in found if isinstance(project, Project))


async def load(context: Context, name: str) -> Project | SettingsError | None:
    """None where there is no compose file, which `repository.sources` tells."""

    async def read() -> Project | SettingsError | None:
        settings = context.homelab.projects[name]
        source = settings.source
        paths = tuple(p.removeprefix(f"{source}/") for p in await context.paths() if p.startswith(f"{source}/"))
        file = next((file for file in COMPOSE_FILES if file in paths), "")
        if not file:
            return None
        try:
            node, complaints = await context.yaml(f"{source}/{file}")
        except SettingsError as error:
            return error
        except CockpitError:
            return None
        sidecars = _sidecars(context, paths)
        env = f"{source}/.env{SIDECAR if '.env' in sidecars else ''}"
        data, store = await context.bytes_of(env) or b"", context.secrets
        set_ = dict(dotenv(data.decode("utf-8", "replace")))
        encrypted = store is not None and store.is_encrypted(env, data)
        hidden = frozenset(name for name in set_ if not name.startswith("sops_")) if encrypted else frozenset[str]()
        return Project(
            settings,
            f"{source}/{file}",
            node,
            complaints,
            {} if encrypted else set_,
            (*paths, *sidecars),
            bool(sidecars) or encrypted,
            hidden if hidden or not encrypted else None,
        )

    return await context.once(("project", name), read)


def _sidecars(context: Context, paths: tuple[str, ...]) -> tuple[str, ...]:
    """What a host has in the place of NAME.enc."""
    if context.homelab.secret_style is not SecretStyle.SIDECAR:
        return ()
    return tuple(path.removesuffix(SIDECAR) for path in paths if path.endswith(SIDECAR) and path != SIDECAR and "/" not in path)


def dotenv(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a `.env` file, as compose reads it: quotes and comments away."""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not (match := _PAIR.match(line)):
            continue
        value = match[2]
        if value[:1] in ("'", '"') and value.count(value[0]) > 1:
            value = value[1 : value.index(value[0], 1)]
        else:
            value = value.partition(" #")[0].rstrip()
        yield match[1], value


def variables(node: Node) -> Iterator[Variable]:
    """Every one that is used, in file order; defaults may use others."""
    for scalar in node.scalars():
        for match in _VARIABLE.finditer(scalar.text):
            if name := match["name"] or match["bare"]:
                yield Variable(name, match["how"] or "", match["rest"] or "", scalar.line)


def words(node: Node) -> Iterator[tuple[str, str, int]]:
    """(name, value, line) of `environment:` or `labels:`, as a mapping or as a list of NAME=VALUE."""
    if node.kind == "map":
        for name, line, value in node.merged():
            yield name, value.text, line
    for item in node.items:
        name, _, text = item.text.partition("=")
        yield name, text, item.line


def ports(project: Project, service: Service) -> Iterator[Port]:
    """Published ones; what is only exposed is not among them."""
    for item in service.node.get("ports").items:
        if item.kind == "map":
            published = project.filled(item.get("published").text)
            if published:
                ip = project.filled(item.get("host_ip").text)
                yield Port(ip, published, item.get("target").text, item.line)
            continue
        text = project.filled(item.text).partition("/")[0]
        match = re.fullmatch(r"(?:(\[[^\]]*\]|\$\{[^}]*\}|[^:]*):)?([^:]*):([^:]+)", text)
        if match is None:  # CONTAINER alone: a port of every address that the engine picks
            yield Port("", "", text, item.line)
        else:
            yield Port((match[1] or "").strip("[]"), match[2], match[3], item.line)


def mounts(project: Project, service: Service) -> Iterator[Mount]:
    for item in service.node.get("volumes").items:
        if item.kind == "map":
            bind = item.get("type").text == "bind"
            yield Mount(
                project.filled(item.get("source").text), item.get("target").text, not item.get("read_only").true, item.line, bind
            )
            continue
        parts = project.filled(item.text).split(":")
        if len(parts) >= 2:
            options = parts[2].split(",") if len(parts) > 2 else []
            yield Mount(parts[0], parts[1], "ro" not in options, item.line, parts[0][:1] in ("/", ".", "~"))


def env_files(service: Service) -> Iterator[tuple[str, bool, int]]:
    """(path, whether it has to be there, line)."""
    found = service.node.get("env_file")
    for item in found.items or ((found,) if found.there else ()):
        if item.kind == "map":
            required = item.get("required")
            yield item.get("path").text, not required.there or required.true, item.line
        else:
            yield item.text, True, item.line
