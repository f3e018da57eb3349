"""What the engine would say of a container beyond its state: all that its compose file says of it."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cockpit.simulator.containers import Container

EPOCH = "0001-01-01T00:00:00Z"
_VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?][^}]*)?\}")
_SIZE = re.compile(r"(\d+)([kmg]?)b?")
SHARED = ("proxy", "socket")
"""Networks that the host makes."""
_PROBES = 5
"""Health checks that the engine remembers."""


def nanoseconds(at: float) -> int:
    """A moment, seconds since the epoch, as the engine counts it."""
    return int(at) * 10**9 + int(at % 1 * 1e9)


def stamp(at: float | None) -> str:
    """As the engine writes moments."""
    if at is None:
        return EPOCH
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{nanoseconds(at) % 10**9:09d}Z"


def environment(file: bytes) -> dict[str, str]:
    """The variables of a project's .env."""
    rows = (line.partition("=") for line in file.decode("utf-8", "replace").splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in rows if equals}


def filled(value: Any, variables: dict[str, str]) -> Any:  # noqa: ANN401 - any YAML
    """With the variables in their places."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda m: variables.get(m[1], ""), value)
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if isinstance(value, dict):
        return {str(key): filled(item, variables) for key, item in value.items()}
    return value


def labels(made: dict[str, Any]) -> dict[str, str]:
    """Those of the compose file, and what compose itself notes of dependencies."""
    found = {key: str(value) for key, value in _pairs(made.get("labels")).items()}
    needs = made.get("depends_on") or {}
    wanted = dict.fromkeys(needs, "service_started") if isinstance(needs, list) else needs
    if wanted:
        rows = [f"{n}:{w.get('condition') if isinstance(w, dict) else w}:false" for n, w in wanted.items()]
        found["com.docker.compose.depends_on"] = ",".join(rows)
    return found


def mounts(container: Container) -> list[dict[str, Any]]:
    spec, found = container.spec, []
    for volume in spec.made.get("volumes") or ():
        source, _, rest = str(volume).partition(":")
        target, _, mode = rest.partition(":")
        row = {"Type": "bind", "Source": source, "Destination": target or source, "Mode": mode, "RW": mode != "ro"}
        if source.startswith("./"):
            row["Source"] = f"/var/lib/cockpit/projects/{spec.project}/{source[2:]}"
        elif not source.startswith("/"):
            row |= {"Type": "volume", "Name": f"{spec.project}_{source}"}
            row["Source"] = f"/var/lib/docker/volumes/{spec.project}_{source}/_data"
        found.append(row)
    for name in spec.secrets:
        source = f"/run/cockpit/secrets/{spec.project}/{name}"
        found.append({"Type": "bind", "Source": source, "Destination": f"/run/secrets/{name}", "Mode": "ro", "RW": False})
    return found


def inspected(container: Container) -> dict[str, Any]:
    made = container.spec.made
    command = _words(made.get("command")) or _words(made.get("entrypoint")) or ["/entrypoint"]
    check = made.get("healthcheck")
    test = _words(check.get("test")) if isinstance(check, dict) else []
    config: dict[str, Any] = {
        "Image": container.spec.image, "Labels": container.labels, "Tty": False, "User": str(made.get("user") or ""),
        "Env": [*(f"{n}={value}" for n, value in _pairs(made.get("environment")).items()), "PATH=/usr/local/bin:/usr/bin:/bin"],
    }  # fmt: skip
    if container.spec.checked:
        config["Healthcheck"] = {"Test": test or ["CMD", "/healthcheck"]}
    return {
        "Path": command[0], "Args": command[1:], "Config": config, "Mounts": mounts(container),
        "HostConfig": {
            "RestartPolicy": {"Name": str(made.get("restart") or "no"), "MaximumRetryCount": 0},
            "ReadonlyRootfs": bool(made.get("read_only")), "Memory": memory_limit(container),
        },
        "NetworkSettings": {"Networks": _networks(container), "Ports": _ports(made)},
    }  # fmt: skip


def memory_limit(container: Container) -> int:
    """Bytes; 0 where it has none."""
    return _bytes(container.spec.made.get("mem_limit"))


def probes(container: Container, every: float = 15.0) -> list[dict[str, Any]]:
    """The last health checks, oldest first."""
    ill, since, now = container.spec.ill, container.started, time.time()
    if container.health not in ("healthy", "unhealthy"):
        return []
    count = min(_PROBES, 3 if ill else 1 + int((now - since) // every))
    last = now - (now - since) % every
    code, output = (7, ill) if ill else (0, "")
    moments = [last - every * index for index in reversed(range(count))]
    return [{"ExitCode": code, "Output": output, "Start": stamp(at), "End": stamp(at + 0.04)} for at in moments]


def _networks(container: Container) -> dict[str, Any]:
    wanted = container.spec.made.get("networks") or ["default"]
    address = int(container.id[:2], 16) % 250 + 3
    return {
        name if name in ("proxy", "socket") else f"{container.spec.project}_{name}": {
            "IPAddress": f"172.{20 + index}.0.{address}"
        }
        for index, name in enumerate(wanted)
    }


def _ports(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for port in made.get("ports") or ():
        *address, public, private = str(port).rsplit(":", 2)
        inside, _, kind = private.partition("/")
        bound = {"HostIp": address[0] if address else "0.0.0.0", "HostPort": public}  # noqa: S104 - a simulated answer
        found.setdefault(f"{inside}/{kind or 'tcp'}", []).append(bound)
    return found


def _pairs(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML
    """Compose takes mappings, and lists of `name=value`."""
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items()}
    return dict(str(item).partition("=")[::2] for item in value or ())


def _said(value: Any) -> Any:  # noqa: ANN401 - any YAML
    return str(value).lower() if isinstance(value, bool) else value


def _words(value: Any) -> list[str]:  # noqa: ANN401 - any YAML
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value or ()]


def _bytes(value: Any) -> int:  # noqa: ANN401 - any YAML
    match = _SIZE.fullmatch(str(value or "").lower())
    return int(match[1]) * 1024 ** " kmg".index(match[2] or " ") if match else 0
