"""Who is to read the secrets, and what people put into them: from options, from a terminal, or made."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cockpit.actions.new import answers
from cockpit.actions.sealing.readers import Readers
from cockpit.cli.ask import Asker
from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.keys import EXAMPLE, KeyPair
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import Template
from cockpit.ports.making import Keys

MOST = 1024 * 1024
TYPED_BACK = 6
"""Characters of the recovery key that have to be typed: enough to show that it is written down somewhere."""


class Gathered(Struct, frozen=True):
    readers: Readers
    privates: Mapping[str, Secret]
    """`recovery`, or a host's name -> private key, where it is here."""
    operator: KeyPair | None
    """Made now, to be kept on this machine."""
    recovery: Secret | None
    """Made now: it is shown once, and kept nowhere."""


def gather(args: argparse.Namespace, hosts: Sequence[str], keys: Keys, ask: Asker | None) -> Gathered:
    """Refused, UsageError: a key that is none, or a recovery key that nobody would have."""
    operators, operator = _operators(args.operator_key, keys, ask)
    public, recovery, made = _recovery(args, keys, ask)
    privates = {"recovery": recovery} if recovery is not None else {}
    given = _host_keys(args.host_key, hosts)
    of_hosts: dict[str, str] = {}
    for host in hosts:
        key = given.get(host) or _asked_host_key(host, ask)
        if not key:
            pair = keys.ssh()
            key, privates[host] = pair.public, pair.private
        of_hosts[host] = key
    return Gathered(Readers(operators, public, of_hosts), privates, operator, recovery if made else None)


def _operators(wanted: Sequence[str], keys: Keys, ask: Asker | None) -> tuple[tuple[str, ...], KeyPair | None]:
    found = tuple(dict.fromkeys(_recipient(key, keys, "--operator-key") for key in wanted))
    if not found:
        found = tuple(key for key in keys.own() if key != EXAMPLE)
    if found:
        return found, None
    if keys.place.exists():
        raise UsageError(
            f"{keys.place} has no age key that can be used",
            "it is not overwritten",
            "age-keygen -o FILE, or --operator-key age1...",
        )
    if ask is not None and not ask.yes(f"There is no age key on this machine. Make one in {keys.place}?"):
        raise UsageError("there is no operator's key", "nothing was made", "--operator-key age1...")
    pair = keys.age()
    return (pair.public,), pair


def _recovery(args: argparse.Namespace, keys: Keys, ask: Asker | None) -> tuple[str, Secret | None, bool]:
    """(recipient, its private half where it is here, whether it was made now)."""
    wanted: str = args.recovery_key or ""
    if not wanted and ask is not None:
        wanted = ask.text(
            "Recovery key (age1..., kept offline)",
            lambda text: _recipient(text, keys, "recovery key"),
            optional="enter: one is made",
        )
    if wanted.startswith("@"):
        private = file(wanted[1:])
        found = [key for key in keys.public(private) if key.startswith("age1")]
        if len(found) != 1:
            raise UsageError(
                f"{wanted[1:]} is no age identity", "it needs exactly one line AGE-SECRET-KEY-1...", "age-keygen makes one"
            )
        return found[0], private, False
    if wanted:
        return _recipient(wanted, keys, "--recovery-key"), None, False
    pair = keys.age()
    text = pair.private.reveal().decode().strip()
    if ask is not None:
        _shown(text, pair.public, ask)
    elif not args.i_stored_the_recovery_key:
        raise Refused(
            "there is no recovery key",
            "a lost machine would be a lost homelab; nothing was made",
            "--recovery-key age1..., or --i-stored-the-recovery-key: one is made and printed once, and you keep it offline",
        )
    elif args.output == "json" and not args.show_passwords:
        raise Refused("nobody would see the recovery key", "one would be made", "--show-passwords, or --recovery-key age1...")
    return pair.public, pair.private, True


def _shown(text: str, public: str, ask: Asker) -> None:
    ask.say()
    ask.say("The recovery key opens everything when your machine is lost. It is shown once:")
    ask.say("write it down, or print it, and keep it away from your machines.")
    ask.say()
    ask.say(f"    {text}")
    ask.say(f"    (public key: {public})")
    ask.say()

    def same(answer: str) -> None:
        if answer.strip().upper() != text[-TYPED_BACK:]:
            raise UsageError("that is not how it ends", "look at what you wrote down, not at the screen")

    ask.text(f"The last {TYPED_BACK} characters of AGE-SECRET-KEY-..., from where you keep it", same)


def _asked_host_key(host: str, ask: Asker | None) -> str:
    if ask is None:
        return ""
    answer = ask.text(
        f"ssh host key of {host} (ssh-keyscan -t ed25519 {host})",
        answers.host_key,
        optional="enter: it does not exist yet, one is made",
    )
    return answers.host_key(answer) if answer else ""


def _host_keys(wanted: Sequence[str], hosts: Sequence[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for text in wanted:
        name, equals, key = text.partition("=")
        if not equals or name.strip() not in hosts:
            if len(hosts) != 1:
                raise UsageError(
                    f"--host-key {text[:40]}: of which host?",
                    f"there are {', '.join(hosts)}",
                    "--host-key HOST='ssh-ed25519 AAAA...'",
                )
            name, key = hosts[0], text
        out[name.strip()] = answers.host_key(key)
    return out


def _recipient(text: str, keys: Keys, where: str) -> str:
    key = text.strip()
    if key.upper().startswith("AGE-SECRET-KEY-"):
        raise UsageError(
            "that is a private age key", "it is in your shell's history now", "make another, and give the public half: age1..."
        )
    if not key.startswith("age1") or not keys.valid(key):
        raise UsageError(
            f"{where}: that is no age recipient", "age1 and 58 characters", "age-keygen -y FILE prints that of a key"
        )
    return key


def given(args: argparse.Namespace, template: Template, ask: Asker | None) -> dict[str, Secret]:
    """What the template asks for, by name. Never from the command line itself: others see it, and the shell keeps it."""
    out: dict[str, Secret] = {}
    asks = template.asks()
    stdin = False
    for text in args.set:
        name, equals, source = text.partition("=")
        if name not in asks:
            raise UsageError(f"there is no secret {name!r} to set", f"the template asks for {', '.join(sorted(asks))}")
        if not equals or (not source.startswith("@") and source != "-"):
            raise UsageError(
                f"--set {name}: the value is not taken from the command line",
                "others see it there",
                f"--set {name}=@FILE, or --set {name}=-",
            )
        if source == "-":
            if stdin:
                raise UsageError("standard input is one value", "--set NAME=- was given twice")
            stdin = True
            value = Secret(sys.stdin.buffer.read(MOST))
        else:
            value = file(source[1:])
        out[name] = Secret(value.reveal().removesuffix(b"\n").removesuffix(b"\r"))
    for name, wanted in asks.items() if ask is not None else ():
        if name not in out and ask is not None and (answer := ask.hidden(wanted.what or name)):
            out[name] = Secret(answer.encode())
    return out


def file(name: str) -> Secret:
    """The content of a file that a person named. UsageError."""
    path = Path(name).expanduser()
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read", error.strerror or "") from None
    if len(data) > MOST:
        raise UsageError(f"{name} is too large")
    return Secret(data)
