"""This machine: the programs that cockpit calls, the terminal, the keys to get in with, the person's own settings."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from msgspec import Struct

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.domain.checkup import numbers
from cockpit.domain.errors import CockpitError
from cockpit.domain.findings import Group, Level, fail, note, ok, warn

OLDEST_TEXTUAL = (8, 2)


class Program(Struct, frozen=True):
    name: str
    ask: tuple[str, ...]
    """Arguments that make it say its version."""
    purpose: str
    missing: Level
    least: tuple[int, ...] = ()
    apt: str = ""
    """Debian's package; empty where Debian has none."""
    nix: str = ""
    brew: str = ""
    folder: str = ""
    """Where the repository has this folder, a missing program is worth a warning."""


PROGRAMS = (
    Program("git", ("--version",), "everything: what is deployed is a commit", Level.FAIL, (2, 20), "git", "git", "git"),
    Program(
        "ssh",
        ("-V",),
        "shells in containers, and the quick answer of a deploy that has nothing to do",
        Level.WARN,
        (7,),
        "openssh-client",
        "openssh",
        "openssh",
    ),
    Program(
        "age",
        ("--version",),
        "age-keygen, which makes the keys that secrets are encrypted for",
        Level.NOTE,
        (1,),
        "age",
        "age",
        "age",
    ),
    Program(
        "nix",
        ("--version",),
        "newer inputs and images of hosts; hosts build themselves without it",
        Level.NOTE,
        (2, 18),
        "nix-bin",
        "nix",
    ),
    Program("tofu", ("version",), "guests that are written as code", Level.NOTE, (1, 7), "", "opentofu", "opentofu", "tofu"),
    Program(
        "tailscale",
        ("version",),
        "the way to hosts that only the mesh reaches",
        Level.NOTE,
        (1, 50),
        "",
        "tailscale",
        "tailscale",
    ),
    Program("lazygit", ("--version",), "ctrl+g in Files", Level.NOTE, (), "", "lazygit", "lazygit"),
)


async def install(context: Context, program: Program) -> str:
    """The command of the package manager that is here."""
    find = context.machine.find
    if program.name != "nix" and program.nix and find("nix"):
        return f"nix profile install nixpkgs#{program.nix}"
    if program.apt and find("apt-get"):
        return f"sudo apt-get install {program.apt}"
    if program.brew and find("brew"):
        return f"brew install {program.brew}"
    if program.name == "nix":
        return "https://nixos.org/download"
    return f"install {program.name}, or take the shell that has every tool: nix develop ./nix"


async def _program(program: Program, context: Context) -> Found:
    path = context.machine.find(program.name)
    if not path:
        level = program.missing
        if program.folder and context.settings is not None and await context.matching(f"{program.folder}/.*"):
            level = Level.WARN
        told = {Level.FAIL: fail, Level.WARN: warn}.get(level, note)
        yield told(f"{program.name} is not installed", f"it is for {program.purpose}", await install(context, program))
        return
    told = note if program.missing is Level.NOTE else warn
    said = await context.machine.ask((path, *program.ask))
    version = numbers(said.out)
    shown = ".".join(map(str, version))
    if not version:
        yield told(f"{program.name} does not say its version", f"{path} ended with {said.code}", f"{path} {program.ask[0]}")
    elif version < program.least:
        least = ".".join(map(str, program.least))
        fix = "https://nixos.org/download" if program.name == "nix" else await install(context, program)
        yield told(f"{program.name} {shown} is old", f"{least} or newer is needed", fix)
    else:
        yield ok(f"{program.name} {shown}")


async def _compose(context: Context) -> Found:
    argv = await compose_argv(context)
    if not argv:
        fix = (
            "sudo apt-get install docker-compose-v2"
            if context.machine.find("apt-get")
            else "nix profile install nixpkgs#docker-compose"
        )
        yield note("docker compose is not installed", "without it compose files are read by cockpit's own eyes only", fix)
        return
    version = numbers((await context.machine.ask((*argv, "version", "--short"))).out)
    shown = ".".join(map(str, version))
    if version < (2, 20):
        yield note(
            f"docker compose {shown or 'of an unknown version'} is old", "hosts run a newer one", "update it: 2.20 or newer"
        )
    else:
        yield ok(f"docker compose {shown}")


async def compose_argv(context: Context) -> tuple[str, ...]:
    """How compose is called here; empty where it is not there."""

    async def look() -> tuple[str, ...]:
        if alone := context.machine.find("docker-compose"):
            return (alone,)
        docker = context.machine.find("docker")
        if docker and (await context.machine.ask((docker, "compose", "version", "--short"))).code == 0:
            return docker, "compose"
        return ()

    return await context.once("compose program", look)


async def _python(context: Context) -> Found:
    python = ".".join(map(str, sys.version_info[:3]))
    textual = context.machine.library("textual")
    if numbers(textual)[:2] < OLDEST_TEXTUAL:
        yield fail(
            f"textual {textual or 'is not there'}",
            "the terminal UI is made for 8.2 or newer",
            "pip install --upgrade cockpit-homelab",
        )
    yield ok(f"Python {python}, textual {textual}")


async def _terminal(context: Context) -> Found:
    terminal = context.machine.terminal()
    if not terminal.tty:
        return  # nothing to judge
    if "utf" not in terminal.encoding:
        yield note(
            f"the terminal speaks {terminal.encoding or 'no known encoding'}",
            "shapes need UTF-8",
            "export LC_ALL=C.UTF-8, or `ascii: true` in ~/.config/cockpit/config.yaml",
        )
    if terminal.colours < 1 << 24:
        yield note(
            f"{terminal.term or 'the terminal'} promises {terminal.colours} colours"
            if terminal.colours
            else "the terminal promises no colours",
            "the themes are made for true colour; what is there is used",
            "export COLORTERM=truecolor, where the terminal can do it",
        )
    if context.machine.environment("TMUX") and terminal.term.startswith("xterm"):
        yield note(
            "TERM says xterm inside tmux",
            "keys and colours may be wrong",
            "set -g default-terminal tmux-256color, in ~/.tmux.conf",
        )
    yield ok(f"{terminal.term}, {terminal.encoding}")


async def _ssh_key(context: Context) -> Found:
    home = Path(context.machine.environment("HOME") or "/")
    names = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
    files = [home / ".ssh" / name for name in names]
    states = await asyncio.to_thread(lambda: {path: context.machine.status(path) for path in files})
    found = [path for path, state in states.items() if state is not None]
    for path, state in states.items():
        if state is not None and state.mode & 0o077:
            yield fail(f"{path} can be read by others", "ssh refuses such a key", f"chmod 600 {path}")
    agent = ""
    if context.machine.environment("SSH_AUTH_SOCK") and (add := context.machine.find("ssh-add")):
        try:
            listed = await context.machine.ask((add, "-l"), deadline=5.0)
        except CockpitError as error:
            yield warn("the ssh agent does not answer", error.why, "eval $(ssh-agent); ssh-add")
        else:
            count = len([line for line in listed.out.splitlines() if line.strip()]) if listed.code == 0 else 0
            agent = f"{count} in the agent" if count else ""
            if not count and not found:
                yield warn("the ssh agent holds no key", "nothing else can open a host from here", "ssh-add ~/.ssh/id_ed25519")
    if not found and not agent:
        configured = await asyncio.to_thread(context.machine.status, home / ".ssh/config")
        told = note if configured is not None else warn
        why = "~/.ssh/config may name one" if configured is not None else "no host lets you in without one"
        yield told("no ssh key where ssh looks, and none in an agent", why, "ssh-keygen -t ed25519")
    elif found or agent:
        yield ok(", ".join(part for part in (*(path.name for path in found), agent) if part))


async def _user(context: Context) -> Found:
    identity = context.user.identity
    if identity is not None and await asyncio.to_thread(context.machine.status, identity) is None:
        yield fail(
            f"identity: names {identity}, which is not there",
            "nothing can be decrypted",
            "mend it in ~/.config/cockpit/config.yaml",
        )
    yield ok(f"role {context.user.role.value}, theme {context.user.theme.value}")


def _about(program: Program) -> str:
    least = f" {'.'.join(map(str, program.least))} or newer" if program.least else ""
    return f"`{program.name}`{least}: for {program.purpose}."


CHECKS = (
    *(
        Check(
            f"machine.{program.name}",
            program.name,
            Group.MACHINE,
            Level.WARN if program.folder else program.missing,
            _about(program),
            partial(_program, program),
            homelab=False,
        )
        for program in PROGRAMS
    ),
    Check(
        "machine.compose",
        "docker compose",
        Group.MACHINE,
        Level.NOTE,
        "`docker compose` 2.20 or newer: for a second opinion on compose files.",
        _compose,
        homelab=False,
    ),
    Check("machine.python", "Python", Group.MACHINE, Level.FAIL, "Versions of Python and of Textual.", _python, homelab=False),
    Check(
        "machine.terminal",
        "terminal",
        Group.MACHINE,
        Level.NOTE,
        "UTF-8, colours, and TERM inside tmux.",
        _terminal,
        homelab=False,
    ),
    Check(
        "machine.ssh-key",
        "ssh key",
        Group.MACHINE,
        Level.FAIL,
        "A key in ~/.ssh or in an agent, that nobody else can read.",
        _ssh_key,
        homelab=False,
    ),
    Check(
        "machine.settings",
        "own settings",
        Group.MACHINE,
        Level.FAIL,
        "~/.config/cockpit/config.yaml, and that the identity it names is there.",
        _user,
        homelab=False,
    ),
)
