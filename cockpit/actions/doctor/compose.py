"""Compose: the rules of `lint` over all projects, and what compose itself says of them where it is here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from functools import partial

from cockpit.actions.doctor import lint
from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.machine import compose_argv
from cockpit.actions.doctor.project import Project, load, projects
from cockpit.domain.errors import CockpitError, SettingsError, UsageError
from cockpit.domain.findings import Finding, Group, Level, fail, ok, skipped, warn
from cockpit.domain.units import several

_LINE = re.compile(r"line (\d+)")
_LEVEL = re.compile(r'level=(\w+) msg="(.*)"$')
AT_ONCE = 2


async def _parses(context: Context) -> Found:
    count = 0
    for name in context.projects:
        found = await load(context, name)
        if isinstance(found, SettingsError):
            for finding in lint.unparsed(found):
                yield finding
        elif found is not None:
            count += len(found.services)
            for finding in lint.parses(found):
                yield finding
    yield ok(f"{several(count, 'service')} in {several(len(context.projects), 'project')}")


async def _rule(rule: Callable[[Project], Iterator[Finding]], context: Context) -> Found:
    found = await projects(context)
    told = [finding for project in found for finding in rule(project)]
    for finding in told:
        yield finding
    if found and not told:
        yield ok(several(len(found), "project"))


async def _lock(context: Context) -> Found:
    if context.lock is None:
        return
    found, told = await projects(context), False
    for project in found:
        try:
            findings = list(lint.lock(project, await context.lock.check((project.name,))))
        except UsageError as error:
            fix = f"mend the line, or delete a lock that is broken: cockpit lock {project.name} writes a new one"
            findings = [fail(f"{project.name}: {error.what}", error.why, fix, project.file)]
        for finding in findings:
            told = True
            yield finding
    if found and not told:
        yield ok(several(len(found), "project"))


async def _config(context: Context) -> Found:
    argv = await compose_argv(context)
    if not argv:
        yield skipped("docker compose is not installed here", "cockpit's own reading has to do")
        return
    found, limit = await projects(context), asyncio.Semaphore(AT_ONCE)

    async def one(project: Project) -> list[Finding]:
        async with limit:
            return await _said(context, argv, project)

    told = [finding for findings in await asyncio.gather(*map(one, found)) for finding in findings]
    for finding in told:
        yield finding
    if not told:
        yield ok(f"{several(len(found), 'project')} accepted")


async def _said(context: Context, argv: tuple[str, ...], project: Project) -> list[Finding]:
    """Warnings and the error of `docker compose config`. It prints names and paths, no values."""
    if project.sealed:
        return [skipped(f"{project.name}: files of it are encrypted", "docker compose would miss what the host decrypts for it")]
    folder = context.homelab.root / project.folder
    named = [word for file in project.merged for word in ("-f", str(context.homelab.root / file))]
    command = (*argv, "--project-directory", str(folder), "-p", project.name, *named, "config", "--quiet")
    try:
        ran = await context.machine.ask(command, deadline=15.0)
    except CockpitError as error:
        return [skipped(f"{project.name}: {error.what}", error.why)]
    out: list[Finding] = []
    for text in ran.out.splitlines():
        match = _LEVEL.search(text)
        if match and match[1] == "warning" and "variable is not set" not in match[2]:  # that one has a rule with its line
            out.append(
                warn(f"{project.name}: {match[2].replace(chr(92), '')}", "docker compose config says so", "", project.file)
            )
    if ran.code != 0:
        last = next(
            (line for line in reversed(ran.out.splitlines()) if line.strip() and not _LEVEL.search(line)), f"exit {ran.code}"
        )
        at = _LINE.search(last)
        text = last.replace(str(context.homelab.root) + "/", "")
        out.append(
            fail(
                f"{project.name}: compose refuses it",
                text,
                "mend it; docker compose config shows the same",
                project.file,
                int(at[1]) if at else 0,
            )
        )
    return out


def _lint(name: str, title: str, worst: Level, rule: Callable[[Project], Iterator[Finding]], about: str) -> Check:
    return Check(f"compose.{name}", title, Group.COMPOSE, worst, about, partial(_rule, rule))


CHECKS = (
    Check(
        "compose.parses",
        "files",
        Group.COMPOSE,
        Level.FAIL,
        "Every compose file is YAML, without a key twice, and names services.",
        _parses,
    ),
    Check(
        "compose.config",
        "docker compose",
        Group.COMPOSE,
        Level.FAIL,
        "What `docker compose config` says of each project with its lock, where compose is installed.",
        _config,
        deadline=60.0,
    ),
    _lint("variables", "variables", Level.FAIL, lint.unset, "Each variable without a default is set in the project's `.env`."),
    _lint("examples", "own values", Level.WARN, lint.examples, "No `.env` has a domain or address of the examples any more."),
    _lint(
        "files",
        "files it names",
        Level.FAIL,
        lint.files,
        "Each `env_file` is there, and each secret of /run/cockpit/secrets is one that cockpit.yaml renders.",
    ),
    _lint("environment", "secrets", Level.FAIL, lint.environment, "No secret in `environment:` or in a plain `.env`."),
    _lint(
        "socket", "engine's socket", Level.FAIL, lint.socket, "Nobody but a socket proxy has docker.sock, and that one read-only."
    ),
    _lint("ports", "ports", Level.WARN, lint.open_ports, "Each published port names the address that it is published on."),
    _lint(
        "binds",
        "bind mounts",
        Level.FAIL,
        lint.binds,
        "What a service mounts of its project's folder is there, inside it, and read-only.",
    ),
    _lint(
        "health",
        "health checks",
        Level.WARN,
        lint.health,
        "Each service that goes on running has a health check, its own or its image's.",
    ),
    _lint("images", "images", Level.WARN, lint.tags, "Each image has a tag that is not `latest`."),
    Check(
        "compose.lock",
        "lock",
        Group.COMPOSE,
        Level.FAIL,
        "What `cockpit lock --check` says: compose.lock.yaml has a digest for each image of the compose files, and no other.",
        _lock,
    ),
    _lint(
        "privilege",
        "privileges",
        Level.WARN,
        lint.privilege,
        "Nothing is privileged, shares the host's processes, or may do everything.",
    ),
)
