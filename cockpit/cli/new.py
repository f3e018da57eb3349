"""`cockpit init` and `cockpit secrets new`: what is asked first, and what is told at the end."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from cockpit.actions.new import homelab
from cockpit.actions.sealing import renew
from cockpit.actions.sealing.makers import Values
from cockpit.actions.sealing.readers import Readers
from cockpit.actions.sealing.seal import Proof
from cockpit.cli import new_answers, new_keys
from cockpit.cli.ask import Asker
from cockpit.cli.new_keys import Gathered
from cockpit.cli.output import Json, Pipe, Text
from cockpit.domain.errors import CockpitError, Exit, UsageError
from cockpit.domain.text import lines, plain

T = TypeVar("T")
OpenInit = Callable[[str], Awaitable[homelab.Workshop]]
OpenSecrets = Callable[[str | None], Awaitable[renew.Bench]]


def run(args: argparse.Namespace, open_init: OpenInit, open_secrets: OpenSecrets, out: Pipe, ask: Asker | None) -> Exit:
    """Runs one command; `ask` where there is a person to ask. Raises only defects."""
    face = Json(out) if args.output == "json" else Text(out)
    try:
        if args.yes or args.output == "json":
            ask = None
        if args.command == "init":
            return _init(args, open_init, out, ask)
        return _secrets(args, open_secrets, out, ask)
    except CockpitError as error:
        face.error(error)
        return error.exit
    except (KeyboardInterrupt, asyncio.CancelledError):
        out.line()
        face.error(UsageError("interrupted", "nothing was made"))
        return Exit.REFUSED


def terminal(out: Pipe) -> Asker | None:
    """Somebody to ask; None where there is no terminal."""
    return Asker(out) if sys.stdin.isatty() and sys.stdout.isatty() else None


def _init(args: argparse.Namespace, open_init: OpenInit, out: Pipe, ask: Asker | None) -> Exit:
    shop = _run(_awaited(open_init(args.directory)))
    answers = new_answers.gather(args, shop.author, ask)
    # before keys are made: a value that cannot be taken is told first
    given = new_keys.given(args, shop.template, ask)
    keys = new_keys.gather(args, [answers.host], shop.keys, ask)
    wanted = homelab.Wanted(answers, keys.readers, keys.privates, given, keys.operator)
    made = _run(shop.init.execute(wanted))
    fields: dict[str, Any] = {
        "directory": args.directory, "host": answers.host, "commit": made.commit, "files": list(made.files),
    }  # fmt: skip
    if args.output == "json":
        shown = _json(args, made.values, made.readers, made.proof, keys)
        kept = None if made.kept is None else str(made.kept)
        next_steps = [{"what": step.what, "commands": list(step.commands)} for step in made.steps]
        out.line(json.dumps({"event": "Created", **fields, "key_file": kept, **shown, "next": next_steps}))
        return Exit.DONE
    out.line()
    out.line(f"✓ {plain(args.directory)}: a homelab of {len(made.files)} files, commit {made.commit[:9]}")
    _text(out, made.values, made.proof, keys, "" if made.kept is None else str(made.kept), new=not ask)
    out.line()
    out.line(f"Next, in {plain(args.directory)}:")
    for number, step in enumerate(made.steps, 1):
        out.line(f"  {number}. {step.what}")
        for command in step.commands:
            out.line(f"       {command}")
    return Exit.DONE


def _secrets(args: argparse.Namespace, open_secrets: OpenSecrets, out: Pipe, ask: Asker | None) -> Exit:
    bench = _run(_awaited(open_secrets(args.config)))
    given = new_keys.given(args, bench.template, ask)
    keys = new_keys.gather(args, bench.template.hosts(), bench.keys, ask)
    wanted = renew.Wanted(keys.readers, keys.privates, given, keys.operator, args.force)
    done = _run(bench.renew.execute(wanted))
    if args.output == "json":
        shown = _json(args, done.values, done.readers, done.proof, keys)
        kept = None if done.kept is None else str(done.kept)
        out.line(
            json.dumps({"event": "Renewed", "files": list(done.files), "removed": list(done.removed), "key_file": kept, **shown})
        )
        return Exit.DONE
    out.line()
    out.line(
        f"✓ {len(done.files)} files written, {len(done.removed)} removed; look at them, then commit: git add -A && git commit"
    )
    _text(out, done.values, done.proof, keys, "" if done.kept is None else str(done.kept), new=not ask)
    return Exit.DONE


def _text(out: Pipe, values: Values, proof: Proof, keys: Gathered, kept: str, *, new: bool) -> None:
    out.line(f"✓ every secret was decrypted again, with the keys of: {', '.join(proof.tried)}")
    for who in proof.untried:
        out.line(f"! not tried with the key of {who}: its private half is not here")
    if kept:
        out.line(f"✓ your new age key is in {kept}: without it and the recovery key, nobody reads these secrets")
    if keys.recovery is not None and new:
        out.line()
        out.line("The recovery key, shown once. Keep it offline, away from your machines:")
        out.line(f"    {keys.recovery.reveal().decode().strip()}")
    if values.told:
        out.line()
        out.line("Passwords (they are in secrets/operator/passwords.yaml too: sops decrypt shows them):")
        for told in values.told:
            name = f"{told.place.file.removesuffix('.yaml').removeprefix('operator/passwords')} {told.place.key}".strip()
            out.line(f"    {name:<24} {f'{told.user} ' if told.user else ''}{told.value.reveal().decode()}")
    if values.open:
        out.line()
        out.line("Still to be filled in (sops edit FILE):")
        for item in values.open:
            out.line(f"    secrets/{item.place.file} {item.place.key}")
            for line in lines(item.what):
                out.line(f"        {line}")


def _json(args: argparse.Namespace, values: Values, readers: Readers, proof: Proof, keys: Gathered) -> dict[str, Any]:
    """No value that is secret, unless that was asked for."""
    shown = args.show_passwords
    passwords = [
        {"file": f"secrets/{told.place.file}", "key": told.place.key, "user": told.user, "password": told.value.reveal().decode()}
        for told in (values.told if shown else ())
    ]
    return {
        "recipients": {"operators": list(readers.operators), "recovery": readers.recovery, "hosts": dict(readers.hosts)},
        "tried": list(proof.tried),
        "untried": list(proof.untried),
        "open": [{"file": f"secrets/{o.place.file}", "key": o.place.key, "name": o.name, "what": o.what} for o in values.open],
        "passwords": passwords,
        "recovery_key": keys.recovery.reveal().decode().strip() if shown and keys.recovery is not None else None,
    }


def _run(work: Coroutine[Any, Any, T]) -> T:
    """To its end; a SIGTERM cancels it like ctrl+c, so that it clears away what it made. What had ended by then has ended."""
    ended: list[T] = []

    async def guarded() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - inside a coroutine there is one
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            ended.append(await work)
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    try:
        asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not ended:
            raise
    return ended[0]


async def _awaited(work: Awaitable[T]) -> T:
    return await work
