"""What a host runs against what a repository has: what adopting would find, told before anything is written."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.actions.adopt.shape import Shape
from cockpit.actions.adopt.texts import Answers
from cockpit.domain.inventory import FoundProject, Inventory


def directories(shape: Shape, found: Inventory) -> tuple[tuple[str, str], ...]:
    """(project, directory) of the repository's projects that run there: each stays where it is."""
    ours = {project.name for project in shape.projects}
    return tuple((p.name, p.directory.rstrip("/")) for p in found.projects if p.name in ours and p.directory.startswith("/"))


def warnings(shape: Shape, answers: Answers, found: Inventory) -> Iterator[str]:
    """What is not as the repository says, most important first."""
    if not found.nixos:
        yield "the host is no NixOS host: cockpit deploys NixOS hosts"
    if found.cockpit:
        yield "the host has cockpit already"
    identity = answers.identity_for(shape)
    if identity and identity not in found.identities:
        known = f"; it has {', '.join(found.identities)}" if found.identities else ""
        yield f"the host has no {identity}, which would have to decrypt{known}: --identity FILE names the right one"
    running = {project.name: project for project in found.projects}
    for project in shape.projects:
        there = running.get(project.name)
        if there is None:
            yield f"project {project.name} does not run there: the first deploy starts it"
            continue
        wanted = answers.directory(project)
        if there.directory.rstrip("/") != wanted:
            yield f"project {project.name} runs from {there.directory}, and {wanted} is what cockpit.yaml will say"
        for file in there.files:
            if file.rpartition("/")[2] != project.compose:
                yield f"project {project.name} was started with {file}, and the repository has {project.source}/{project.compose}"
        stopped = [service.name for service in there.services if service.state != "running"]
        if stopped:
            yield f"project {project.name}: {', '.join(stopped)} does not run"
    ours = {project.name for project in shape.projects}
    for stranger in found.projects:
        if stranger.name not in ours:
            yield f"project {stranger.name} runs there and is not in the repository ({_from(stranger)}): it is left alone"
    if found.alone:
        names = ", ".join(service.name for service in found.alone[:8])
        yield f"containers of no compose project: {names}{' ...' if len(found.alone) > 8 else ''}: they are left alone"
    for unit in found.units:
        yield f"{unit} is active there: does it deploy, or pull images? Then it works against cockpit"
    if found.left_out:
        yield f"{found.left_out} more containers were not looked at"


def _from(project: FoundProject) -> str:
    return project.directory or "no directory told"
