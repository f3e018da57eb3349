"""Compose projects and their services, from the container engine."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
COMPOSE_OVERRIDES = ("compose.override.yaml", "compose.override.yml", "docker-compose.override.yml")
COMPOSE_LOCK = "compose.lock.yaml"
"""The files of a project, in the order in which a release of a host merges them: the first that there is of each."""


class State(Enum):
    """Engine's container state (`GET /containers/json`, field State)."""

    RUNNING = "running"
    RESTARTING = "restarting"
    EXITED = "exited"
    CREATED = "created"
    PAUSED = "paused"
    REMOVING = "removing"
    DEAD = "dead"
    MISSING = "missing"
    """Named by the release, but there is no container."""


class Health(Enum):
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    NONE = "none"


class Usage(Struct, frozen=True):
    cpu: float
    """Percent of one core."""
    memory: int
    """Bytes, without page cache."""
    memory_limit: int | None = None


class Service(Struct, frozen=True):
    """One container of a compose project (or a foreign container: project is empty)."""

    host: str
    project: str
    service: str
    container: str
    """Full container id; empty when missing."""
    name: str
    image: str
    """As the compose file names it, without a digest."""
    image_id: str
    state: State
    health: Health
    since: float | None
    """When it entered the state, seconds since the epoch."""
    restarts: int = 0
    exit_code: int | None = None
    oom: bool = False
    ports: tuple[int, ...] = ()
    oneshot: bool = False
    owned: bool = True
    """Whether cockpit's release owns its project."""
    usage: Usage | None = None
    number: int = 1
    after: tuple[str, ...] = ()
    """Services of its project that it depends on."""
    url: str = ""
    """Where a person opens it, by its labels."""

    @property
    def ref(self) -> str:
        return f"{self.project}/{self.service}"

    @property
    def address(self) -> str:
        """`HOST/PROJECT/SERVICE`, with its number where it is not the first; the project of a foreign container is empty."""
        return f"{self.host}/{self.project}/{self.service}" + (f"/{self.number}" if self.number != 1 else "")

    @property
    def broken(self) -> bool:
        """Whether a person should look at it now."""
        if self.state is State.EXITED and (self.oneshot or self.exit_code == 0):
            return self.exit_code != 0
        return self.state not in (State.RUNNING, State.CREATED) or self.health is Health.UNHEALTHY


class ServicesSnapshot(Struct, frozen=True):
    host: str
    read_at: float
    services: tuple[Service, ...]
    """Sorted by project, service."""


class Level(Enum):
    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3
    UNKNOWN = 4


class LogLine(Struct, frozen=True):
    """One log line, already cleaned by domain.text."""

    host: str
    project: str
    service: str
    time: float
    """Seconds since the epoch, the engine's own stamp."""
    text: str
    """The message as written (cleaned), without the engine's stamp."""
    stderr: bool = False
    level: Level = Level.UNKNOWN


class LogGap(Struct, frozen=True):
    """Something that happened between lines: drop, exit, reconnection."""

    host: str
    project: str
    service: str
    time: float
    text: str
    bad: bool = False
    marker: bool = False
    """Put there by a person."""


LogItem = LogLine | LogGap
