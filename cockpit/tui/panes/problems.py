"""What is wrong now, derived from hosts and services: worst first, one cause is one problem."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.actions.bundle import Cockpit
from cockpit.domain import units
from cockpit.domain.hosts import HostFacts
from cockpit.domain.services import Health, Service, State
from cockpit.tui.panes.host_rows import FULL, commit
from cockpit.tui.panes.service_rows import key_of, service_shape

ORDER = "✕▲‖≠◐◌"


@dataclass(frozen=True, slots=True)
class Problem:
    shape: str
    what: str
    where: str
    finding: str
    cause: str
    since: float | None
    pane: str
    key: str
    """Of the object in its pane."""
    host: str
    actions: tuple[str, ...]
    """Ids of the catalogue: what helps next."""
    takes_down: int = 1

    @property
    def id(self) -> str:
        return f"{self.pane}/{self.key}/{self.finding[:12]}"


def _service(s: Service) -> Problem | None:
    mark = service_shape(s)
    if mark not in "✕▲":
        return None
    if s.state is State.MISSING:
        finding = "there is no container"
    elif s.health is Health.UNHEALTHY:
        finding = "unhealthy"
    elif s.restarts > 1:
        finding = f"restart loop: {s.restarts} restarts"
    else:
        finding = s.state.value
    if s.exit_code:
        finding += f", exit {s.exit_code}" + (", out of memory" if s.oom else "")
    limit = s.usage.memory_limit if s.usage else None
    cause = f"{units.short_size(s.usage.memory)} of {units.short_size(limit)} used" if s.usage and limit else s.image
    return Problem(mark, s.ref, s.host, finding, cause, s.since, "services", key_of(s), s.host, ("service.logs",))


def _host(name: str, facts: HostFacts, against: str) -> list[Problem]:
    out = [
        Problem(
            "✕",
            unit,
            name,
            "unit failed",
            "its last lines are in the journal",
            None,
            "hosts",
            name,
            name,
            ("host.journal", "host.units"),
        )
        for unit in facts.failed_units
    ]
    out += [
        Problem(
            "▲",
            f"{name} {d.mount}",
            "file system",
            f"{d.share:.0%} full",
            f"{units.size(d.used)} of {units.size(d.size)}",
            None,
            "hosts",
            name,
            name,
            ("list.open",),
        )
        for d in facts.disks
        if d.share >= FULL
    ]
    if facts.hold is not None:
        held = ", ".join(commit(c) for c in facts.hold.abandoned[:2])
        number = facts.profile_generation
        behind = f", {against.removeprefix('held, ')}" if "behind" in against else ""
        cause = f"{facts.hold.by} rolled back{': ' + facts.hold.why if facts.hold.why else ''} · refuses {held}"
        out.append(
            Problem(
                "‖",
                name,
                "host",
                f"held at generation {number}{behind}",
                cause,
                facts.hold.at,
                "hosts",
                name,
                name,
                ("list.open", "host.resume"),
            )
        )
    elif against and against != "in step":
        out.append(
            Problem("≠", name, "host", against, "what runs is not what main says", None, "hosts", name, name, ("release.deploy",))
        )
    if facts.reboot is not None:
        old, new = facts.reboot
        out.append(
            Problem(
                "▲",
                name,
                "host",
                "needs a reboot",
                f"booted {old}, the running release has {new}",
                None,
                "hosts",
                name,
                name,
                ("list.open",),
            )
        )
    if facts.holder is not None:
        words = f"{facts.holder.kind} by {facts.holder.who} from {facts.holder.origin}"
        out.append(
            Problem(
                "◐",
                name,
                "host",
                f"run {facts.holder.run} is at work",
                words,
                facts.holder.since,
                "releases",
                facts.holder.run,
                name,
                ("release.attach",),
            )
        )
    return out


def problems(cockpit: Cockpit, against: dict[str, str]) -> list[Problem]:
    """Broken, look at it, held, drift, at work, stale; within one the newest first."""
    out: list[Problem] = []
    for name, observer in cockpit.fleet.hosts.items():
        seen = observer.latest
        if seen.error is not None:
            words = seen.error.why or seen.error.hint
            out.append(Problem("◌", name, "host", seen.error.what, words, seen.read_at, "hosts", name, name, ("app.refresh",)))
        if seen.value is not None and not seen.stale:
            out += _host(name, seen.value, against.get(name, ""))
    for engine in cockpit.fleet.services.values():
        if engine.latest.value is not None and not engine.latest.stale:
            out += [p for s in engine.latest.value.services if (p := _service(s)) is not None]
    now = cockpit.clock.now()
    return sorted(out, key=lambda p: (ORDER.index(p.shape), now - p.since if p.since is not None else now))
