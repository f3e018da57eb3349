"""From parsed arguments to an exit code. `open_cockpit` is given: only `__main__` knows how a Cockpit is put together."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable

from cockpit.actions.bundle import Cockpit
from cockpit.actions.doing import operation
from cockpit.actions.run import Run
from cockpit.actions.status import status
from cockpit.cli import images, release, services, show
from cockpit.cli.choice import patterns, select
from cockpit.cli.github import GitHub
from cockpit.cli.output import Json, Pipe, Renderer, Text, stdout
from cockpit.domain.errors import CockpitError, Exit, UsageError, worst
from cockpit.domain.events import Outcome
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Allow, Plan, Take, Tier

Opener = Callable[[argparse.Namespace], Cockpit]


def renderer(args: argparse.Namespace, out: Pipe | None = None) -> Renderer:
    pipe = out or stdout()
    output = args.output or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")
    match output:
        case "github":
            return GitHub(pipe, os.environ)
        case "json":
            return Json(pipe)
        case _:
            return Text(pipe, verbose=args.verbose)


def run(args: argparse.Namespace, open_cockpit: Opener, out: Pipe | None = None) -> Exit:
    """Runs one command. Raises only defects."""
    out = out or stdout()
    face = renderer(args, out)
    try:
        if args.command == "plan":
            release.check(args)
        return asyncio.run(_run(args, open_cockpit, face, out))
    except CockpitError as error:
        face.error(error)
        return error.exit
    except KeyboardInterrupt:
        if args.command == "logs":
            return Exit.DONE
        face.error(UsageError("interrupted", "before anything was changed"))
        return Exit.REFUSED


async def _run(args: argparse.Namespace, open_cockpit: Opener, face: Renderer, out: Pipe) -> Exit:
    # A runner that cancels a job sends SIGINT, then SIGTERM: both let go of the transaction in the same way.
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - inside a coroutine there is one
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    cockpit = open_cockpit(args)
    try:
        if args.command == "status":
            return await _status(cockpit, args, face)
        if args.command in show.COMMANDS:
            return await show.run(cockpit, args, face)
        if args.command == "services":
            names = select(cockpit.settings.hosts.values(), patterns(args))
            return await services.show_services(cockpit.fleet, names, args.output == "json", out)
        if args.command == "logs":
            return await services.show_logs(cockpit, args, out)
        return await _action(cockpit, args, face)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        await cockpit.close()


async def _status(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    found = await status(cockpit.fleet, select(cockpit.settings.hosts.values(), patterns(args)))
    face.status(found)
    return worst([host.error.exit for host in found if host.error is not None])


async def _do(cockpit: Cockpit, args: argparse.Namespace, run: Run, follower: Follower, face: Renderer) -> Outcome:
    """Never a question: what is more than reversible needs --yes."""

    async def approve(planned: Operation, tier: Tier) -> bool:
        follower.catch_up()
        face.operation(planned, tier)
        return bool(args.yes) or tier.value <= Tier.REVERSIBLE.value

    return await operation(cockpit, args.action, args.targets)(run, approve)


async def _action(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    run = cockpit.runs.new()
    follower = Follower(run, face)

    async def approve(plan: Plan) -> bool:
        follower.catch_up()
        face.plan(plan)
        return bool(args.yes)

    run.approve = approve
    following = asyncio.create_task(follower.follow())
    try:
        if args.command == "do":
            outcome = await _do(cockpit, args, run, follower, face)
        elif args.command == "image":
            outcome = await images.execute(cockpit, args, run, follower.catch_up, face)
        else:
            outcome = await _execute(cockpit, args, run)
    except BaseException:
        following.cancel()
        raise
    await following
    if run.plan is not None and getattr(args, "dry_run", args.command == "plan"):
        face.plan(run.plan)
    face.outcome(outcome, run.dropped)
    return outcome.exit


async def _execute(cockpit: Cockpit, args: argparse.Namespace, run: Run) -> Outcome:
    if args.command == "bootstrap":
        return await cockpit.bootstrap.execute(
            args.host,
            args.commit,
            run=run,
            user=args.user,
            allow=Allow(from_test=args.from_test, take=_take(args.take)),
            take_over=args.take_over,
            here=args.build_here,
            dry_run=args.dry_run,
        )
    names = select(cockpit.settings.hosts.values(), patterns(args))
    match args.command:
        case "release":
            return await release.make(cockpit, args, names, run)
        case "plan" if args.read_only:
            return await release.look(cockpit, args, names, run)
        case "deploy" | "plan":
            return await cockpit.deploy.execute(
                names,
                args.commit,
                run=run,
                allow=Allow(args.allow_rewind, args.resume, args.from_test, _take(args.take)),
                dry_run=args.command == "plan" or args.dry_run,
            )
        case "rollback":
            return await cockpit.rollback.execute(explicit(args, names), args.to, run, dry_run=args.dry_run)
        case "resume":
            return await cockpit.resume.execute(explicit(args, names), run, dry_run=args.dry_run)
        case "attach":
            return await cockpit.attach.execute(args.run, run, hosts=names if args.host else None)
        case _:
            raise UsageError(f"there is no command {args.command!r}")


def _take(chosen: list[list[str]]) -> Take:
    """`--take host|git PATH`, as often as it was given."""
    for side, path in chosen:
        if side not in ("host", "git") or not (path == "all" or path.startswith("/")):
            raise UsageError(f"--take {side} {path}", "it needs `host` or `git`, and the path on the host or `all`")
    return Take(*(tuple(path for side, path in chosen if side == wanted) for wanted in ("host", "git")))


class Follower:
    """Renders a run's events as they come; `catch_up` does so at once, before something is shown beside them."""

    def __init__(self, run: Run, face: Renderer) -> None:
        self._run = run
        self._face = face
        self._cursor = 0

    async def follow(self) -> None:
        async for event in self._run.events(self._cursor):
            if event.seq >= self._cursor:
                self._cursor = event.seq + 1
                self._face.event(event)

    def catch_up(self) -> None:
        for event in self._run.log:
            if event.seq >= self._cursor:
                self._cursor = event.seq + 1
                self._face.event(event)


def explicit(args: argparse.Namespace, names: tuple[str, ...]) -> tuple[str, ...]:
    """Going back is never meant for every host by default."""
    if len(names) > 1 and not patterns(args):
        raise UsageError(
            f"{args.command} of which host?", f"cockpit.yaml names {', '.join(names)}", f"cockpit {args.command} HOST"
        )
    return names
