"""What the engine says of a container -> Service (for tables) and ContainerDetail (for one)."""

from __future__ import annotations

import re
from typing import Any

from cockpit.adapters.docker.lines import stamp
from cockpit.adapters.outside import table
from cockpit.domain.containers import ContainerDetail, Mount, Port, Probe
from cockpit.domain.secret import Secret
from cockpit.domain.services import Health, Service, State
from cockpit.domain.text import clean, plain

_HEALTH = {"healthy": Health.HEALTHY, "unhealthy": Health.UNHEALTHY, "starting": Health.STARTING}
_HOST_RULE = re.compile(r"\bHost\(\s*`([A-Za-z0-9._-]+)`")
_PATH_RULE = re.compile(r"\bPathPrefix\(\s*`(/[A-Za-z0-9._~/-]*)`")
_URL = re.compile(r"https?://[^\s\"'<>`]+")
MOST = 200
"""Ports, mounts, variables and labels that are looked at, each."""
OUTPUT = 4000
"""Characters of a health check's output."""


def _list(data: object) -> list[Any]:
    return data[:MOST] if isinstance(data, list) else []


def _word(data: object) -> str:
    return plain(str(data)) if data is not None else ""


def _number(data: object) -> int:
    return data if isinstance(data, int) and not isinstance(data, bool) else 0


def state_of(state: dict[str, Any]) -> State:
    try:
        return State(state.get("Status", "dead"))
    except ValueError:
        return State.DEAD


def health_of(state: dict[str, Any]) -> Health:
    return _HEALTH.get(_word(table(state.get("Health")).get("Status")), Health.NONE)


def depends_on(labels: dict[str, Any]) -> tuple[str, ...]:
    """Compose writes `db:service_healthy:false,broker:service_started:false`."""
    found = _word(labels.get("com.docker.compose.depends_on", ""))
    return tuple(part.partition(":")[0] for part in found.split(",") if part)


def url_of(labels: dict[str, Any]) -> str:
    """What its labels say a person opens: homepage's link, else the first host of Traefik's routers."""
    href = str(labels.get("homepage.href", ""))
    if _URL.fullmatch(href):
        return plain(href)
    for key in sorted(labels):
        if key.startswith("traefik.http.routers.") and key.endswith(".rule"):
            rule = str(labels[key])
            if host := _HOST_RULE.search(rule):
                path = _PATH_RULE.search(rule)
                return f"https://{host[1]}{path[1] if path else '/'}"
    return ""


def service_from(host: str, row: dict[str, Any], data: dict[str, Any]) -> Service:
    """`row` of `GET /containers/json`, `data` of `GET /containers/ID/json`."""
    labels = row.get("Labels") or {}
    state = data.get("State") or {}
    name = plain(str(data.get("Name", "")).lstrip("/"))
    policy = ((data.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
    running = state.get("Status") in ("running", "restarting", "paused")
    return Service(
        host=host,
        project=plain(labels.get("com.docker.compose.project", "")),
        service=plain(labels.get("com.docker.compose.service", "")) or name,
        container=row["Id"],
        name=name,
        image=plain(str((data.get("Config") or {}).get("Image") or row.get("Image", ""))).partition("@")[0],
        image_id=plain(str(row.get("ImageID", ""))),
        state=state_of(state),
        health=health_of(state),
        since=stamp(str(state.get("StartedAt" if running else "FinishedAt", ""))),
        restarts=int(data.get("RestartCount") or 0),
        exit_code=None if running and not data.get("RestartCount") else state.get("ExitCode"),
        oom=bool(state.get("OOMKilled")),
        ports=tuple(sorted({int(p["PublicPort"]) for p in row.get("Ports") or () if p.get("PublicPort")})),
        oneshot=policy in ("no", "on-failure"),
        owned=bool(labels.get("com.docker.compose.project")),
        number=int(labels.get("com.docker.compose.container-number") or 1),
        after=depends_on(labels),
        url=url_of(labels),
    )


def memory_limit(data: dict[str, Any]) -> int | None:
    """What the compose file allows it; the engine reports the whole memory of the host where there is no limit."""
    return _number(table(data.get("HostConfig")).get("Memory")) or None


def detail_from(data: dict[str, Any]) -> ContainerDetail:
    state, config, host = table(data.get("State")), table(data.get("Config")), table(data.get("HostConfig"))
    policy = table(host.get("RestartPolicy"))
    retries = _number(policy.get("MaximumRetryCount"))
    health = table(state.get("Health"))
    image = _word(config.get("Image"))
    grace = config.get("StopTimeout")
    networks = table(table(data.get("NetworkSettings")).get("Networks"))
    return ContainerDetail(
        container=_word(data.get("Id")),
        name=_word(data.get("Name")).lstrip("/"),
        state=state_of(state),
        health=health_of(state),
        started=stamp(_word(state.get("StartedAt"))),
        finished=stamp(_word(state.get("FinishedAt"))),
        created=stamp(_word(data.get("Created"))),
        exit_code=_number(state.get("ExitCode")),
        oom=bool(state.get("OOMKilled")),
        error=_word(state.get("Error")),
        restarts=_number(data.get("RestartCount")),
        policy=(_word(policy.get("Name")) or "no") + (f":{retries}" if retries else ""),
        grace=10.0 if grace is None else float(_number(grace)),
        image=image.partition("@")[0],
        image_id=_word(data.get("Image")),
        digest=image.partition("@")[2],
        command=" ".join(_word(part) for part in (data.get("Path") or "", *_list(data.get("Args")))).strip(),
        user=_word(config.get("User")),
        read_only=bool(host.get("ReadonlyRootfs")),
        memory_limit=memory_limit(data),
        ports=_ports(table(table(data.get("NetworkSettings")).get("Ports"))),
        mounts=tuple(
            Mount(
                _word(m.get("Type")),
                _word(m.get("Name") or m.get("Source")),
                _word(m.get("Destination")),
                bool(m.get("RW")),
            )
            for m in map(table, _list(data.get("Mounts")))
        ),
        networks=tuple((_word(name), _word(table(n).get("IPAddress"))) for name, n in sorted(networks.items())[:MOST]),
        environment=tuple(_variable(str(pair)) for pair in sorted(map(str, _list(config.get("Env"))))),
        probes=tuple(_probe(table(p)) for p in _list(health.get("Log"))[-10:]),
        failing=_number(health.get("FailingStreak")),
        check=" ".join(_word(w) for w in _list(table(config.get("Healthcheck")).get("Test")) if w not in ("CMD", "CMD-SHELL")),
        labels=tuple((_word(k), _word(v)) for k, v in sorted(table(config.get("Labels")).items())[:MOST]),
    )


def _variable(pair: str) -> tuple[str, Secret]:
    name, _, value = pair.partition("=")
    return plain(name), Secret(value.encode("utf-8", "surrogateescape"))


def _probe(data: dict[str, Any]) -> Probe:
    output = "\n".join(clean(line) for line in str(data.get("Output") or "")[:OUTPUT].splitlines())
    return Probe(stamp(_utc(data.get("Start"))), stamp(_utc(data.get("End"))), _number(data.get("ExitCode")), output)


def _utc(data: object) -> str:
    """The log of health checks has the host's own zone: `2026-11-23T08:00:00.1+01:00`."""
    import datetime

    text = _word(data)
    head, sign, zone = text[:19], text[-6:-5], text[-5:]
    if sign not in ("+", "-") or not re.fullmatch(r"\d\d:\d\d", zone):
        return text
    try:
        moment = datetime.datetime.fromisoformat(f"{head}{sign}{zone}")
    except ValueError:
        return ""
    fraction = re.match(r"\.\d+", text[19:])
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S") + (fraction[0] if fraction else "") + "Z"


def _ports(found: dict[str, Any]) -> tuple[Port, ...]:
    out: list[Port] = []
    for key, published in list(found.items())[:MOST]:
        number, _, kind = _word(key).partition("/")
        if not number.isdigit():
            continue
        bound = [table(b) for b in _list(published)]
        out += [Port(int(number), kind, _word(b.get("HostIp")), int(_word(b.get("HostPort")) or 0) or None) for b in bound]
        if not bound:
            out.append(Port(int(number), kind))
    return tuple(sorted(out, key=lambda p: (p.public is None, p.private, p.address)))
