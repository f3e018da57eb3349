"""What one system would change over another, told from what both consist of. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.domain.closures import package_changes
from cockpit.domain.contents import Contents, ProjectContents, ServiceContents
from cockpit.domain.errors import Exit
from cockpit.domain.plan import Change, PackageChange, Problem, SecretChange, ServiceChange, UnitChanges


def packages(old: Contents, new: Contents) -> tuple[PackageChange, ...]:
    """Nothing where one of the closures could not be read."""
    return tuple(package_changes(old.paths, new.paths)) if old.paths and new.paths else ()


def units(old: Contents, new: Contents) -> UnitChanges:
    """By their files. Whether one runs at all, only the host knows."""
    changed = {unit for unit in old.units.keys() & new.units.keys() if old.units[unit] != new.units[unit]} - set(new.stays)
    return UnitChanges(
        stop=tuple(sorted(old.units.keys() - new.units.keys())),
        restart=tuple(sorted(changed - set(new.reloads))),
        reload=tuple(sorted(changed & set(new.reloads))),
        start=tuple(sorted(new.units.keys() - old.units.keys())),
    )


def reboot(old: Contents, new: Contents) -> tuple[str, str] | None:
    """(booted kernel, kernel of the new system) where they differ."""
    return None if old.kernel.parts == new.kernel.parts else (old.kernel.version or "?", new.kernel.version or "?")


def services(old: Contents, new: Contents) -> tuple[ServiceChange, ...]:
    found: list[ServiceChange] = []
    for name in sorted(old.projects.keys() | new.projects.keys()):
        found += _project(name, old.projects.get(name), new.projects.get(name))
    return tuple(found)


def _project(name: str, old: ProjectContents | None, new: ProjectContents | None) -> Iterator[ServiceChange]:
    before, after = (old.services if old else {}), (new.services if new else {})
    for service in sorted(before.keys() | after.keys()):
        was, now = before.get(service), after.get(service)
        if now is None:
            why = "no longer in the release" if new else "project is no longer in the release"
            yield ServiceChange(name, service, Change.REMOVE, why, was.image if was else None)
        elif was is None or old is None or new is None:
            yield ServiceChange(name, service, Change.CREATE, "", None, now.image or None)
        elif why := _why(was, now, old, new):
            yield ServiceChange(name, service, Change.RECREATE, why, was.image or None, now.image or None)


def _why(was: ServiceContents, now: ServiceContents, old: ProjectContents, new: ProjectContents) -> str:
    """The first reason to recreate a service that stays."""
    if was.image != now.image:
        return "image"
    if was.config != now.config:
        return "config"
    if now.interpolated and old.entries.get(".env") != new.entries.get(".env"):
        return "values of .env"
    for entry in now.mounts:
        if old.entries.get(entry) != new.entries.get(entry) or (entry == "." and old.entries != new.entries):
            return f"mount {entry}"
    for secret in now.secrets:
        if old.secrets.get(secret) != new.secrets.get(secret):
            return f"secret {secret}, if its value is another"
    return ""


def secrets(old: Contents, new: Contents) -> tuple[SecretChange, ...]:
    """By their encrypted files: another file may hold the same value."""
    found: list[SecretChange] = []
    for name in sorted(old.projects.keys() | new.projects.keys()):
        before, after = (side.projects.get(name, ProjectContents()).secrets for side in (old, new))
        for secret in sorted(before.keys() | after.keys()):
            if secret not in after:
                found.append(SecretChange(name, secret, "removed"))
            elif secret not in before:
                found.append(SecretChange(name, secret, "new"))
            elif before[secret] != after[secret]:
                found.append(SecretChange(name, secret, "file changed"))
    return tuple(found)


def advice(new: Contents) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """(problems, warnings) that follow from the release alone; the host's own plan says the same (nix/programs/check.sh)."""
    problems: list[Problem] = []
    warnings: list[str] = []
    if not new.has_cockpit:
        warnings.append("the release has no cockpit: operating system only; services are not touched")
    for name, project in sorted(new.projects.items()):
        if not project.pinned:
            warnings.append(f"project {name}: images are not pinned (no compose.lock.yaml)")
        for label, service in sorted(project.services.items()):
            where = f"{name}/{label}"
            if service.environment and project.env_secrets == "allow":
                warnings.append(f"{where}: {', '.join(service.environment)} reaches the disk inside dockerd (env_secrets: allow)")
            elif service.environment:
                problems.append(
                    Problem(
                        Exit.REFUSED,
                        f"a secret in the environment: {where}: {', '.join(service.environment)}",
                        "dockerd writes it to its disk in plain text",
                        f"use secrets: with the image's _FILE form, or set env_secrets: allow for project {name}",
                    )
                )
            warnings += [
                f"{where}: port {port} is published on every address; docker passes the firewall" for port in service.open_ports
            ]
    return tuple(problems), tuple(warnings)
