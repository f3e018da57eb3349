"""`cockpit-transaction compose` on a simulated host: what `up` would do, and up, pull and down of a project of the release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cockpit.simulator.containers import image_id
from cockpit.simulator.host import Failure, Host


async def compose(
    host: Host, what: str, project: str, service: str, request: dict[str, Any], tell: Callable[[str], None]
) -> dict[str, Any]:
    release = host.release
    specs = [spec for spec in release.services if spec.project == project and service in ("", spec.name)]
    if project not in release.projects:
        raise Failure(
            9, f"project {project} is not in the running release", "only what a release brought is brought up or down",
            "deploy it, or use docker compose on the host",
        )  # fmt: skip
    if not specs:
        raise Failure(
            9, f"project {project} has no service {service} in the running release", "", "deploy the commit that has it"
        )
    if host.active is not None:
        intent = host.active.intent
        why = f"{intent['who']} on {intent['origin']}: run {host.active.run}"
        raise Failure(7, "the host is locked", why, f"cockpit attach {host.active.run}")
    if what == "plan":
        changes = {c["service"]: c for c in host.containers.changes(release, release) if c["project"] == project}
        kept = {"change": "keep", "why": ""}
        every = [spec for spec in release.services if spec.project == project]
        found = [
            changes.get(
                spec.name, {"project": project, "service": spec.name, "old_image": spec.image, "new_image": spec.image, **kept}
            )
            for spec in every
        ]
        return {"project": project, "services": found}
    if not request.get("run"):
        raise Failure(2, "the request is not understood")
    keys = {(spec.project, spec.name) for spec in specs}
    if what == "pull":
        for image in sorted({spec.image for spec in specs}):
            tell(f"docker pull {image}")
            await host.pause(0.6)
        known = [(spec.name, spec.image, image_id(spec.image)) for spec in specs]
        return {"done": "pull", "images": [{"service": n, "image": i, "old": found, "new": found} for n, i, found in known]}
    if what == "up":
        for change in host.containers.changes(release, release):
            if (change["project"], change["service"]) in keys:
                tell(f"Container {project}-{change['service']}-1  {change['change']}")
        await host.pause(0.8)
        host.containers.apply(release, release, keys)
    else:
        tell(f"docker compose -p {project} down")
        await host.pause(0.8)
        host.containers.remove(keys)
    return {"done": what}
