"""Who can read which secrets, and .sops.yaml, which says so to sops."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.keys import EXAMPLE
from cockpit.domain.secret_template import OPERATOR

RULES = ".sops.yaml"
_HEAD = """\
# Who can read what. The first rule whose path matches is the one; paths are relative to this file.
#
# `cockpit init` wrote it; `cockpit secrets new` writes it anew, with new values. After a change by hand: sops updatekeys FILE for
# each file. Who was removed still knows what they could read: replace the values too.
keys:
"""
_RULE = "  - path_regex: ^secrets/{folder}/[^/]+\\.yaml$\n    key_groups:\n      - age: [{names}]\n"


class Readers(Struct, frozen=True):
    """Recipients: `age1...`, or `ssh-ed25519 AAAA...` without a comment."""

    operators: tuple[str, ...]
    recovery: str
    hosts: Mapping[str, str]

    def of(self, folder: str) -> tuple[str, ...]:
        """Of a folder below secrets/: a host reads its own alone, and no host reads the operators'."""
        people = (*self.operators, self.recovery)
        return people if folder == OPERATOR else (*people, self.hosts[folder])


def check(readers: Readers, hosts: Sequence[str]) -> None:
    """Refused, UsageError: nobody to read, no recovery, a host without its key, one key in two parts."""
    if not readers.operators:
        raise Refused(
            "there is no operator's key", "nobody could read these secrets on a machine of theirs", "--operator-key age1..."
        )
    if not readers.recovery:
        raise Refused(
            "there is no recovery key", "a lost machine would be a lost homelab", "--recovery-key age1..., kept offline"
        )
    if EXAMPLE in (*readers.operators, readers.recovery):
        raise Refused("the examples' key is no key of yours", "everybody has its private half", "age-keygen makes one")
    if readers.recovery in readers.operators:
        raise Refused(
            "the recovery key is an operator's key", "what is lost with the machine recovers nothing", "make another: age-keygen"
        )
    for host in hosts:
        if host not in readers.hosts:
            raise UsageError(
                f"the host {host} has no key", "its secrets need it as a reader", f"--host-key {host}='ssh-ed25519 AAAA...'"
            )
    if unknown := [host for host in readers.hosts if host not in hosts]:
        raise UsageError(f"there is no host {unknown[0]!r}", f"the template has files for {', '.join(hosts)}")
    keys = list(readers.hosts.values())
    if len(set(keys)) != len(keys) or set(keys) & {*readers.operators, readers.recovery}:
        raise Refused("two readers have the same key", "a host would read what is not its own", "give each its own key")


def rules(readers: Readers) -> str:
    """The text of .sops.yaml."""
    names = {key: f"operator_{number}" if number > 1 else "operator" for number, key in enumerate(readers.operators, 1)}
    names[readers.recovery] = "recovery"
    hosts = {key: "host_" + re.sub(r"\W", "_", host) for host, key in readers.hosts.items()}
    out = [_HEAD, "  # people, each with a key on a machine of theirs\n"]
    out += [f"  - &{names[key]} {key}\n" for key in readers.operators]
    out += ["  # kept offline: opens everything when the others are lost\n", f"  - &recovery {readers.recovery}\n"]
    out += ["  # hosts, by their own ssh keys (/etc/ssh/ssh_host_ed25519_key)\n"]
    out += [f"  - &{name} {key}\n" for key, name in hosts.items()]
    out += ["\ncreation_rules:\n", "  # a host reads its own secrets, and no other's\n"]
    names |= hosts
    for folder in (*readers.hosts, OPERATOR):
        if folder == OPERATOR:
            out += ["  # what is for people alone: never a host\n"]
        out += [
            _RULE.format(
                folder=re.escape(folder).replace("\\-", "-"), names=", ".join(f"*{names[key]}" for key in readers.of(folder))
            )
        ]
    return "".join(out)
