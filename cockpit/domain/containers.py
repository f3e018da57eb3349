"""One container closely: what the engine says of it, what can be done to it, and who would notice."""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct, field

from cockpit.domain.plan import Tier
from cockpit.domain.secret import Secret
from cockpit.domain.services import Health, Service, State


class Lifecycle(Enum):
    """What is done to services: to containers as they are, or to compose projects as the running release has them."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    UP = "up"
    PULL = "pull"
    DOWN = "down"

    @property
    def compose(self) -> bool:
        """Whether the host does it, from the files of its release."""
        return self in (Lifecycle.UP, Lifecycle.PULL, Lifecycle.DOWN)

    @property
    def tier(self) -> Tier:
        """Of an ordinary service; the plan raises it."""
        return Tier.OUTAGE if self in (Lifecycle.STOP, Lifecycle.DOWN) else Tier.REVERSIBLE


class Port(Struct, frozen=True):
    private: int
    kind: str
    """tcp | udp | sctp."""
    address: str = ""
    """Of the host; empty where it is not published."""
    public: int | None = None


class Mount(Struct, frozen=True):
    kind: str
    """bind | volume | tmpfs ..."""
    source: str
    """Path on the host, or the volume's name."""
    target: str
    writable: bool


class Probe(Struct, frozen=True):
    """One run of the health check."""

    started: float | None
    ended: float | None
    exit: int
    output: str


class ContainerDetail(Struct, frozen=True):
    """`GET /containers/ID/json`, read now."""

    container: str
    name: str
    state: State
    health: Health
    started: float | None = None
    finished: float | None = None
    created: float | None = None
    exit_code: int = 0
    oom: bool = False
    error: str = ""
    """What the engine itself could not do, e.g. a port that is taken."""
    restarts: int = 0
    policy: str = "no"
    grace: float = 10.0
    """Seconds between the signal and the kill of a stop."""
    image: str = ""
    image_id: str = ""
    digest: str = ""
    """`sha256:..` that the image is pinned to; empty where it is not."""
    command: str = ""
    user: str = ""
    read_only: bool = False
    memory_limit: int | None = None
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()
    """(name, address of the container there)."""
    environment: tuple[tuple[str, Secret], ...] = ()
    probes: tuple[Probe, ...] = ()
    """The last runs of the health check, oldest first."""
    failing: int = 0
    """Runs of it that failed in a row."""
    check: str = ""
    """Its command."""
    labels: tuple[tuple[str, str], ...] = field(default=())

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    @property
    def once(self) -> bool:
        """Whether it may end by itself."""
        return self.policy in ("", "no", "on-failure")

    @property
    def ended(self) -> str:
        """How it ended, in words: `exited 137, out of memory`."""
        words = f"exited {self.exit_code}{', out of memory' if self.oom else meaning(self.exit_code)}"
        return f"{words}: {self.error}" if self.error else words


def meaning(code: int) -> str:
    """What an exit code says beside its number."""
    known = {125: ", the engine could not run it", 126: ", its command cannot be run", 127: ", its command is not there"}
    if code in known:
        return known[code]
    names = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}
    return f", {names[code - 128]}" if code - 128 in names else ""


TRAFFIC_PORTS = (53, 80, 443)
_CARRIERS = re.compile(
    r"(?:^|[/_-])(traefik|caddy|haproxy|envoy|nginx-proxy(?:-manager)?|cloudflared|adguardhome|pihole|unbound|coredns|dnsmasq|blocky"
    r"|technitium|dns-server|tailscale|headscale|wireguard|netbird|(?:docker-)?socket-proxy)(?::|$)"
)


def carries_traffic(service: Service) -> str:
    """Why others cannot do without it for a moment: it is a proxy, DNS, or in front of the engine. Empty for ordinary ones."""
    taken = [port for port in service.ports if port in TRAFFIC_PORTS]
    if taken:
        return f"publishes {' and '.join(map(str, taken))}"
    found = _CARRIERS.search(service.image.partition("@")[0]) or _CARRIERS.search(service.service)
    return f"is {found[1]}" if found else ""


def unfit(service: Service, verb: Lifecycle) -> str | None:
    """Why this cannot be done to it as it is; None when it can."""
    if verb.compose:
        return None if service.project else "it belongs to no compose project"
    if not service.container:
        return "it has no container: u makes one"
    up = service.state in (State.RUNNING, State.RESTARTING, State.PAUSED)
    if verb is Lifecycle.START and up:
        return "it runs already"
    if verb is Lifecycle.STOP and not up:
        return "it does not run"
    return None
