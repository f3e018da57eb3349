"""What a compose file says that will hurt: every rule is a function from a project to findings with their lines."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from cockpit.actions.doctor.project import Project, Service, env_files, mounts, ports, variables, words
from cockpit.domain import images
from cockpit.domain.errors import SettingsError, UsageError
from cockpit.domain.findings import Finding, fail, note, warn
from cockpit.domain.images import HUB, Fit, Image, LockRow
from cockpit.domain.services import COMPOSE_LOCK
from cockpit.domain.settings import EnvSecrets

SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
RENDERED = "/run/cockpit/secrets/"
BRING_THEIR_OWN = (
    "louislam/uptime-kuma",
    "gotify/server",
    "ghcr.io/gethomepage/homepage",
    "nickfedor/watchtower",
    "ghcr.io/nicholas-fedor/watchtower",
    "containrrr/watchtower",
    "gotenberg/gotenberg",
    "vaultwarden/server",
    "jellyfin/jellyfin",
    "linuxserver/plex",
    "plexinc/pms-docker",
    "ghcr.io/immich-app/immich-server",
    "ghcr.io/immich-app/immich-machine-learning",
    "ghcr.io/immich-app/postgres",
    "ghcr.io/paperless-ngx/paperless-ngx",
    "pihole/pihole",
    "portainer/agent",
    "minio/minio",
    "photoprism/photoprism",
    "syncthing/syncthing",
    "grafana/loki",
    "ghcr.io/open-webui/open-webui",
)
"""Images that have a health check of their own: an absent `healthcheck:` says nothing about them."""
NOT_CHECKED = ("apache/tika",)
"""Images without a program that could ask: no shell, no client."""
PROXIES = ("socket-proxy", "docker-proxy", "docker-socket-proxy")
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|token|api_?key|private_?key)$")
"""The host's release builder goes by the same names."""
_EXAMPLE = re.compile(r"(?:^|[.@])example\.(?:com|org|net)$")


def image_of(reference: str) -> Image | None:
    """None for what is no image's name: compose says so itself."""
    try:
        return images.parse(reference)
    except UsageError:
        return None


def parses(project: Project) -> Iterator[Finding]:
    for c in project.complaints:
        yield fail(f"{c.key}: {c.what}", "compose refuses the file", "keep one of them", project.file, c.line)
    if project.node.kind != "map" or not project.services:
        yield fail("it names no services", "nothing can be brought up", "add services:", project.file, 1)


def unparsed(error: SettingsError) -> Iterator[Finding]:
    for c in error.complaints:
        yield fail(c.what, "nothing of the project can be deployed", "mend the line", c.file, c.line)


def open_ports(project: Project) -> Iterator[Finding]:
    why = "docker publishes past the firewall; what the engine's own default address is decides who sees it"
    for service in project.services:
        for port in ports(project, service):
            if port.everywhere:
                published = port.published or "a free port"
                yield warn(
                    f"{service.name}: port {published} is published on every address",
                    why,
                    f'write "127.0.0.1:{port.published or port.target}:{port.target}"',
                    project.file,
                    port.line,
                )


def binds(project: Project) -> Iterator[Finding]:
    for service in project.services:
        for mount in mounts(project, service):
            if not mount.bind or not mount.source.startswith("."):
                continue
            path = posixpath.normpath(mount.source)
            if path.startswith(".."):
                yield fail(
                    f"{service.name}: {mount.source} is outside the project's folder",
                    "on the host there is nothing",
                    f"move it into {project.folder}",
                    project.file,
                    mount.line,
                )
            elif not project.holds(path):
                told = note if mount.writable else warn
                yield told(
                    f"{service.name}: there is no {mount.source} in {project.folder}",
                    "the engine makes an empty folder of that name",
                    "a named volume for data; or commit the file",
                    project.file,
                    mount.line,
                )
            elif mount.writable:
                yield warn(
                    f"{service.name}: may write to {mount.source}, which git has",
                    "a change on the host stands against the next one in git",
                    f"mount it read-only: {mount.source}:{mount.target}:ro",
                    project.file,
                    mount.line,
                )


def health(project: Project) -> Iterator[Finding]:
    for service in project.services:
        check = service.node.get("healthcheck")
        if service.oneshot:  # it ends: nothing to be healthy
            continue
        if check.get("disable").true or check.get("test").text == "NONE":
            yield warn(
                f"{service.name}: its health check is switched off",
                "a release that breaks it counts as good",
                "remove disable:",
                project.file,
                service.at("healthcheck"),
            )
        elif not check.there and not _known(image_of(project.filled(service.image))):
            yield warn(
                f"{service.name}: no health check",
                "a deploy can only see whether it restarts, not whether it works",
                "healthcheck: {test: [CMD, ...]}; docker image inspect IMAGE shows whether the image has one",
                project.file,
                service.line,
            )


def _known(image: Image | None) -> bool:
    return image is not None and image.key.removeprefix(f"{HUB}/") in (*BRING_THEIR_OWN, *NOT_CHECKED)


def environment(project: Project) -> Iterator[Finding]:
    allowed = project.settings.env_secrets is EnvSecrets.ALLOW
    told = note if allowed else fail
    why = "dockerd writes it to its disk in plain text" + ("" if allowed else "; a deploy is refused")
    fix = f"secrets: and the image's _FILE variable; or env_secrets: allow for {project.name} in cockpit.yaml"
    for service in project.services:
        for name, value, line in words(service.node.get("environment")):
            if _SECRET_NAME.search(name) and value and not value.startswith(("$", "/")):
                yield told(f"{service.name}: {name} is a secret in the environment", why, fix, project.file, line)
    for name, value in project.variables.items():
        if _SECRET_NAME.search(name) and value and not value.startswith(("$", "/")):
            yield fail(
                f"{name} is a secret in plain text", "whoever reads the repository reads it", fix, f"{project.folder}/.env"
            )


def files(project: Project) -> Iterator[Finding]:
    for service in project.services:
        for path, required, line in env_files(service):
            if required and not project.holds(posixpath.normpath(project.filled(path))):
                yield fail(
                    f"{service.name}: there is no {path} in {project.folder}",
                    "compose refuses the project",
                    f"write {project.folder}/{path.removeprefix('./')}",
                    project.file,
                    line,
                )
    rendered = {secret.name for secret in project.settings.secrets}
    for name, line, node in project.node.get("secrets").merged():
        file = project.filled(node.get("file").text)
        place = f"{RENDERED}{project.name}/"
        if file.startswith(place) and file.removeprefix(place) not in rendered and not project.holds(file.removeprefix(place)):
            yield fail(
                f"secret {name}: nothing renders {file}",
                "its service does not start",
                f"add it under projects.{project.name}.secrets in cockpit.yaml",
                project.file,
                line,
            )
        elif file.startswith(RENDERED) and not file.startswith(place):
            yield warn(
                f"secret {name} is another project's",
                file,
                f"a secret of its own under projects.{project.name}.secrets",
                project.file,
                line,
            )


def tags(project: Project) -> Iterator[Finding]:
    for service in project.services:
        if not service.image:
            if service.node.get("build").there:
                yield note(
                    f"{service.name} is built on the host",
                    "it cannot be pinned, and a rollback builds it again",
                    "publish an image, and name it by tag",
                    project.file,
                    service.at("build"),
                )
            continue
        image = image_of(project.filled(service.image))
        if image is not None and image.tag == "latest" and not image.digest:
            yield warn(
                f"{service.name}: {service.image} has no version",
                "what it is depends on the day it is pulled",
                f"name a tag; cockpit lock {project.name} then pins it",
                project.file,
                service.at("image"),
            )


def lock(project: Project, rows: Iterable[LockRow]) -> Iterator[Finding]:
    """By what `cockpit lock --check` finds."""
    file, fix = f"{project.folder}/{COMPOSE_LOCK}", f"cockpit lock {project.name}"
    told = [row for row in rows if row.fit in (Fit.MISSING, Fit.STALE)]
    if told and COMPOSE_LOCK not in project.paths:
        why = "a tag can move between two deploys"
        yield note(f"{project.name}: images are not pinned by digest", why, "cockpit lock", project.file)
        return
    for row in told:
        name, image = ", ".join(row.services), f"{row.image}:{row.new_tag}"
        if row.why:
            yield fail(f"{name} should not be in the lock", f"{row.why}; compose takes the lock's word", fix, file)
        elif row.fit is Fit.MISSING:
            yield warn(f"{name}: {image} is not in the lock", "its tag can move between two deploys", fix, file)
        else:
            why = "the lock wins: the change in the compose file does nothing"
            yield fail(f"{name}: the lock is not for {image}", why, fix, file)


def socket(project: Project) -> Iterator[Finding]:
    for service in project.services:
        for mount in mounts(project, service):
            if mount.source not in SOCKETS:
                continue
            proxy = _is_proxy(project, service)
            if not proxy:
                told = fail if mount.writable else warn
                yield told(
                    f"{service.name}: has the engine's socket",
                    "who may open it is root on the host; read-only does not limit what it may ask",
                    "ask the socket proxy: DOCKER_HOST=tcp://socket-proxy:2375",
                    project.file,
                    mount.line,
                )
            elif mount.writable:
                yield warn(
                    f"{service.name}: the engine's socket is mounted writable",
                    "the file itself could be replaced",
                    f"{mount.source}:{mount.target}:ro",
                    project.file,
                    mount.line,
                )


def _is_proxy(project: Project, service: Service) -> bool:
    image = image_of(project.filled(service.image))
    return image is not None and image.repository.rpartition("/")[2] in PROXIES


def privilege(project: Project) -> Iterator[Finding]:
    for service in project.services:
        node, file = service.node, project.file
        if node.get("privileged").true:
            yield warn(
                f"{service.name}: is privileged",
                "it is root on the host",
                "cap_add: the one capability, or devices:",
                file,
                service.at("privileged"),
            )
        if node.get("network_mode").text == "host":
            yield note(
                f"{service.name}: is in the host's network",
                "every port that it opens is the host's",
                "networks: and ports: with an address",
                file,
                service.at("network_mode"),
            )
        for key in ("pid", "ipc"):
            if node.get(key).text == "host":
                yield warn(
                    f"{service.name}: shares the host's {key}",
                    "it sees and can end what is not its own",
                    f"remove {key}:",
                    file,
                    service.at(key),
                )
        for capability in node.get("cap_add").items:
            if capability.text.upper().removeprefix("CAP_") in ("ALL", "SYS_ADMIN"):
                yield warn(
                    f"{service.name}: has the capability {capability.text}",
                    "with it a container is hardly one",
                    "name a smaller one",
                    file,
                    capability.line,
                )


def unset(project: Project) -> Iterator[Finding]:
    told: set[str] = set()
    for variable in variables(project.node):
        value = project.variables.get(variable.name)
        here = project.hides(variable.name) or (value is not None and (value != "" or not variable.how.startswith(":")))
        if here or variable.how.endswith(("-", "+")) or variable.name in told:
            continue
        told.add(variable.name)
        fix = f"add {variable.name}= to {project.folder}/.env"
        if variable.how.endswith("?"):
            yield fail(f"{variable.name} is not set", "compose refuses the project", fix, project.file, variable.line)
        else:
            yield warn(f"{variable.name} is not set", "compose takes it for empty", fix, project.file, variable.line)


def examples(project: Project) -> Iterator[Finding]:
    """Values of the reference homelab that nobody has put their own in the place of."""
    why, fix = "that domain is nobody's: no certificate is given for it", "your own value there; cockpit init writes all of them"
    for name, value in project.variables.items():
        if _EXAMPLE.search(value):
            yield warn(f"{name} is still the example's", why, fix, f"{project.folder}/.env")
