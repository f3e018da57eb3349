"""`cockpit adopt`: an existing repository. It has no cockpit.yaml yet, so it needs less than every other command."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cockpit.actions.adopt import adopting, compare
from cockpit.actions.adopt import shape as shapes
from cockpit.actions.adopt.adopting import Adoption
from cockpit.actions.adopt.shape import Shape
from cockpit.actions.adopt.texts import Answers
from cockpit.actions.new.answers import ssh_key
from cockpit.cli.main import renderer
from cockpit.cli.new_answers import public_key
from cockpit.cli.output import Column, Pipe, Renderer, Row, stdout
from cockpit.domain.errors import CockpitError, Exit, UsageError
from cockpit.domain.inventory import FoundService, Inventory
from cockpit.domain.settings import HostSettings, Settings
from cockpit.domain.text import plain
from cockpit.ports.making import FileSet

_RELEASE = re.compile(r"^\d\d\.\d\d")
_KEY = re.compile(r"^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ ")


class Tools(Struct, frozen=True):
    """What is put together elsewhere."""

    reference: Path
    """The top of the reference homelab."""
    survey: Callable[[HostSettings, str | None], Awaitable[Inventory]]
    """A host and a known_hosts file -> what runs there."""
    guests: Callable[[Path], Awaitable[tuple[str, ...]]]
    """A repository with clusters: -> its guests as CLUSTER/VMID NAME, or why they are not known."""
    files: Callable[[Path], FileSet]
    settings: Callable[[Path], Settings | None]
    """Of a repository that has a cockpit.yaml."""
    ask: Callable[[str], str] | None = None
    """A question to a person; None where there is nobody."""


def run(args: argparse.Namespace, tools: Tools, out: Pipe | None = None) -> Exit:
    """Shows what would be written; writes it with --yes."""
    out = out or stdout()
    face = renderer(args, out)
    try:
        return asyncio.run(_run(args, tools, face, out))
    except CockpitError as error:
        face.error(error)
        return error.exit
    except KeyboardInterrupt:
        face.error(UsageError("interrupted", "what is written is written whole", "git status; run it again to see what is left"))
        return Exit.REFUSED


async def _run(args: argparse.Namespace, tools: Tools, face: Renderer, out: Pipe) -> Exit:
    root = Path(os.path.abspath(args.dir or "."))  # noqa: ASYNC240 - reads no disk
    shape = await asyncio.to_thread(shapes.read, root, args.flake, args.projects)
    answers = _answers(args, shape, tools)
    inventory: Inventory | None = None
    guests: tuple[str, ...] = ()
    if args.inventory:
        host = HostSettings(answers.host, answers.address, user=args.sign_in, host_key=answers.host_key or None)
        inventory = await tools.survey(host, args.known_hosts)
        answers = _with(answers, shape, inventory)
        guests = await tools.guests(root)
    made = await asyncio.to_thread(adopting.plan, shape, answers, tools.reference, inventory)
    text = args.output != "json"
    if text:
        _show(made, shape, inventory, guests, out)
    if args.yes and not made.nothing_to_do:
        await adopting.apply(made, tools.files(root))
    if text:
        _after(made, bool(args.yes), out)
    else:
        _rows(made, bool(args.yes), face)
    return Exit.DONE if args.yes or made.nothing_to_do else Exit.TO_DO


def _answers(args: argparse.Namespace, shape: Shape, tools: Tools) -> Answers:
    """What the repository does not say: from options, else asked for, else an error that names the option."""
    hosts = shape.hosts
    host = args.host or (hosts[0] if len(hosts) == 1 else "")
    if not host and not hosts:
        host = _asked(tools, "name of the host in cockpit.yaml", "homelab")
    if not host:
        raise UsageError("which host?", f"the flake has {', '.join(hosts)}", "--host NAME; one at a time")
    if hosts and host not in hosts:
        raise UsageError(f"the flake has no host {host}", f"it has {', '.join(hosts)}", "--host NAME")
    settings = tools.settings(shape.root)
    known = settings.hosts.get(host) if settings is not None else None
    address = args.address or (
        known.address
        if known is not None
        else _asked(tools, "address that the host is deployed to, of the VPN where there is one", shape.address)
    )
    if not address:
        raise UsageError("where is the host?", "its address is written nowhere", "--address ADDRESS[:PORT]")
    keys = tuple(_key(given) for given in args.deploy_key)
    return Answers(
        host=host,
        address=address,
        user=args.deploy_user,
        host_key=" ".join((args.host_key or "").split()[:2]) or (known.host_key or "" if known is not None else ""),
        directory_root=args.directory_root,
        deploy_keys=keys,
        identity=args.identity or "",
    )


def _asked(tools: Tools, what: str, default: str) -> str:
    if tools.ask is None:
        return default
    return tools.ask(f"{what}{f' [{default}]' if default else ''}: ").strip() or default


def _key(given: str) -> str:
    """A public key, or a file that holds one: it goes into a Nix string, so that not even its comment may be anything."""
    return ssh_key(given) if _KEY.match(given.strip()) else public_key(given)


def _with(answers: Answers, shape: Shape, found: Inventory) -> Answers:
    """What the host says, where no option said otherwise."""
    release = _RELEASE.match(found.nixos)
    return replace(answers, release=release[0] if release else "", directories=compare.directories(shape, found))


def _show(made: Adoption, shape: Shape, found: Inventory | None, guests: tuple[str, ...], out: Pipe) -> None:
    where = f"{shape.flake_folder or '.'}#{made.host}"
    out.line(f"adopt {made.host}: flake {where}, {len(shape.projects)} projects below {shape.projects_folder}/")
    if found is not None:
        number = f", generation {found.generation}" if found.generation is not None else ""
        out.line(f"  {found.hostname} runs {'NixOS ' + found.nixos if found.nixos else 'something else'}{number}")
        for project in found.projects:
            out.line(f"    {project.name:<20} {project.directory}  {', '.join(map(_service, project.services))}")
        for guest in guests:
            out.line(f"    guest {plain(guest)}")
    out.line()
    for change in made.changes:
        for line in change.diff().splitlines():
            out.line(plain(line))
        out.line()
    if made.vendored:
        folder = (
            os.path.commonpath([change.path for change in made.vendored]) if len(made.vendored) > 1 else made.vendored[0].path
        )
        out.line(f"{folder}: {len(made.vendored)} files that run on the host, as this cockpit has them")
        out.line()


def _service(found: FoundService) -> str:
    return f"{found.name} ({found.image}{'' if found.state == 'running' else ', ' + found.state})"


def _after(made: Adoption, written: bool, out: Pipe) -> None:
    for warning in made.warnings:
        out.line(f"! {plain(warning)}")
    for note in made.notes:
        out.line(f"· {plain(note)}")
    for line in made.by_hand:
        out.line("✎ by hand, into " + line)
    if made.nothing_to_do:
        out.line("✓ nothing to do")
    elif not written:
        out.line("nothing was written; --yes writes it, and commits nothing")
    else:
        out.line(f"✓ {len(made.changes) + len(made.vendored)} files written; nothing is committed")
    if not made.nothing_to_do:
        out.line()
        out.line("next:" if written else "then:")
        for number, step in enumerate(made.next, 1):
            for index, line in enumerate(step.splitlines()):
                out.line(f"  {f'{number}.' if not index else '  '} {line}")


def _rows(made: Adoption, written: bool, face: Renderer) -> None:
    fields = {
        "host": made.host,
        "written": written and not made.nothing_to_do,
        "nothing_to_do": made.nothing_to_do,
        "files": [{"path": c.path, "new": c.old is None, "diff": c.diff()} for c in made.changes],
        "vendored": [change.path for change in made.vendored],
        "by_hand": made.by_hand,
        "warnings": made.warnings,
        "notes": made.notes,
        "next": made.next,
    }
    face.rows("Adoption", [Column("host")], [Row((made.host,), fields)])


def asker(headless: bool) -> Callable[[str], str] | None:
    """Asks at the terminal, where there is one."""
    if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return input
