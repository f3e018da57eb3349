"""The repository: its settings, what git has of it, and whether what the settings name is there."""

from __future__ import annotations

import asyncio

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.domain.errors import SettingsError
from cockpit.domain.findings import Group, Level, fail, note, ok
from cockpit.domain.services import COMPOSE_FILES
from cockpit.domain.units import several


async def _settings(context: Context) -> Found:
    trouble = context.trouble
    if isinstance(trouble, SettingsError):
        for c in trouble.complaints:
            nearest = f"write {c.nearest!r}" if c.nearest else "cockpit config schema prints what is possible"
            yield fail(f"{c.key}: {c.what}", f"expected {c.expected}" if c.expected else "", nearest, c.file, c.line)
    elif context.settings is None:
        what = trouble.what if trouble is not None else "there is no cockpit.yaml"
        yield fail(what, "this is no homelab's repository: only this machine was looked at", "cockpit init ./homelab")
    else:
        hosts, projects = several(len(context.settings.hosts), "host"), several(len(context.settings.projects), "project")
        yield ok(f"cockpit.yaml: {hosts}, {projects}")


async def _git(context: Context) -> Found:
    root = context.homelab.root
    if await asyncio.to_thread(context.machine.status, root / ".git") is None:
        yield fail("the homelab is no git repository", "what is deployed is a commit", f"git -C {root} init -b main")
        return
    if await asyncio.to_thread(context.machine.status, root / ".git/shallow") is not None:
        yield fail("the clone is shallow", "cockpit has to tell whether a commit contains another", "git fetch --unshallow")
    if context.tree is None:
        return
    status = await context.tree.status()
    if not status.head:
        yield fail("there is no commit yet", "what is deployed is a commit", "git add -A && git commit")
        return
    if status.branch is None:
        yield note("no branch is checked out", "a push goes nowhere", "git switch main")
    elif not status.upstream:
        yield note(
            f"{status.branch} has no upstream", "the homelab is on this machine alone", f"git push -u origin {status.branch}"
        )
    conflicts = [change for change in status.changes if change.conflict]
    for change in conflicts:
        yield fail("a merge that is not finished", "", f"mend it, then git add {change.path}", change.path)
    changed = len(status.changes) - len(conflicts)
    if changed:
        yield note(
            f"{several(changed, 'file')} not committed",
            "a deploy takes what is committed",
            "git status, then git commit",
        )
    if status.behind:
        yield note(f"{several(status.behind, 'commit')} behind {status.upstream}", "others have pushed", "git pull --ff-only")
    yield ok(f"{status.branch or 'no branch'}, {several(len(status.changes), 'change')}")


async def _sources(context: Context) -> Found:
    settings, paths = context.homelab, await context.paths()
    names = context.projects
    for name in names:
        source = settings.projects[name].source
        inside = {path for path in paths if path.startswith(f"{source}/")}
        if not inside:
            yield fail(
                f"{name}: there is no {source}",
                "cockpit.yaml names it as the project's source",
                f"mkdir -p {source}, or mend source:",
                "cockpit.yaml",
            )
        elif not any(f"{source}/{file}" in inside for file in COMPOSE_FILES):
            yield fail(
                f"{name}: no compose.yaml in {source}", "nothing can be brought up", f"write {source}/compose.yaml", source
            )
    used = {name for host in settings.hosts.values() for name in host.projects}
    for name in names:
        if name not in used:
            yield note(
                f"{name} runs on no host",
                "it is under projects: and in no host's projects:",
                f"add {name} to a host",
                "cockpit.yaml",
            )
    known = {project.source for project in settings.projects.values()}
    tops = {source.rpartition("/")[0] for source in known if "/" in source}
    for path in paths:
        folder, _, file = path.rpartition("/")
        if file in COMPOSE_FILES and folder not in known and folder.rpartition("/")[0] in tops:
            yield note(
                f"{folder} is no project", "it has a compose file that cockpit.yaml does not name", "add it under projects:", path
            )
    yield ok(several(len(names), "project"))


CHECKS = (
    Check(
        "repository.settings",
        "cockpit.yaml",
        Group.REPOSITORY,
        Level.FAIL,
        "It is there, and every line of it is understood.",
        _settings,
        homelab=False,
    ),
    Check(
        "repository.git",
        "git",
        Group.REPOSITORY,
        Level.FAIL,
        "A repository with a commit, not shallow, no merge half done; whether it has an upstream.",
        _git,
    ),
    Check(
        "repository.sources",
        "projects",
        Group.REPOSITORY,
        Level.FAIL,
        "The folder of every project has a compose file; no project and no folder is forgotten.",
        _sources,
    ),
)
