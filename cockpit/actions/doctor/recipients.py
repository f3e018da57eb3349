"""Keys: what this machine decrypts with, and for whom the repository's files are encrypted, against what .sops.yaml says."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.domain.checkup import Rule
from cockpit.domain.errors import SecretError, UsageError
from cockpit.domain.findings import Finding, Group, Level, fail, note, ok, skipped, warn
from cockpit.domain.keys import EXAMPLE, EXAMPLE_KEY
from cockpit.domain.units import several

RULES = ".sops.yaml"
NEW, OWN = "cockpit secrets new", "make secrets"
PREFERRED = (3, 12, 2)
_SHORT = 16


async def _sops(context: Context) -> Found:
    if context.keyring is None:
        return
    try:
        program = await context.keyring.program()
    except SecretError as error:
        yield fail(error.what, error.why, "https://github.com/getsops/sops/releases: 3.12.2 or newer, on PATH")
        return
    shown = f"sops {program.version}{', of the Python package' if program.embedded else ''}"
    if program.embedded:
        yield note(
            f"{shown}: there is none on PATH",
            "it is a third party's build, meant for the demo and tests",
            "put sops 3.12.2 or newer on PATH",
        )
    elif program.number < PREFERRED:
        yield note(f"{shown} works, and is old", "before 3.12.2 an edit that is killed leaves plain text behind", "update sops")
    yield ok(shown)


async def _identity(context: Context) -> Found:
    found = await context.identities()
    for identity in found:
        if identity.mode is not None and identity.mode & 0o077 and not identity.source.endswith(EXAMPLE_KEY):
            yield fail(
                f"{identity.source} can be read by others", "whoever reads it reads every secret", f"chmod 600 {identity.source}"
            )
    usable = [identity for identity in found if identity.recipients]
    if usable:
        yield ok(", ".join(identity.source for identity in usable))
        return
    for identity in found:
        yield warn(f"{identity.source} cannot be used", identity.why, "set identity: in ~/.config/cockpit/config.yaml")
    if not found:
        yield warn(
            "this machine has no key to decrypt with",
            "no age key where sops looks, and no ssh key",
            "mkdir -p ~/.config/sops/age && age-keygen -o ~/.config/sops/age/keys.txt, then its public key into .sops.yaml",
        )


async def files(context: Context) -> dict[str, tuple[str, ...]]:
    """Encrypted files and their recipients."""

    async def look() -> dict[str, tuple[str, ...]]:
        store, out = context.secrets, {}
        for path in await context.paths():
            data = await context.bytes_of(path)
            if store is not None and data is not None and b"sops" in data and store.is_encrypted(path, data):
                out[path] = store.readers(path, data)
        return out

    return await context.once("encrypted files", look)


def ruled(rules: tuple[Rule, ...], path: str) -> Rule | None:
    """The first one that names the file, as sops takes it; those that Python cannot read are passed over."""
    for rule in rules:
        try:
            if rule.names(path):
                return rule
        except re.error:
            continue
    return None


async def _rules(context: Context) -> Found:
    encrypted = await files(context)
    try:
        rules = await context.rules()
    except UsageError as error:
        yield warn(
            error.what,
            f"{error.why}; nothing can be encrypted" if error.why else "nothing can be encrypted",
            f"{NEW}, which writes it",
            RULES,
        )
        return
    if not rules:
        yield warn(f"{RULES} has no rule", "nothing can be encrypted", f"{NEW}, which writes them", RULES)
        return
    mine = {key for identity in await context.identities() for key in identity.recipients}
    hosts = {host.host_key for host in context.homelab.hosts.values() if host.host_key}
    for rule in rules:
        try:
            re.compile(rule.pattern)
        except re.error:
            yield note(
                "a pattern that only sops can read",
                "what it governs is not looked at",
                "write it without Go's own syntax",
                RULES,
                rule.line,
            )
        if not rule.recipients:
            yield warn("a rule without age recipients", "it encrypts for nobody that is here", "add age:", RULES, rule.line)
    named = {r.key for rule in rules for r in rule.recipients if "recovery" in r.name.lower()}
    everywhere = frozenset.intersection(*(rule.keys for rule in rules)) - mine - hosts - {EXAMPLE}
    recovery = named or {key for key in everywhere if key.startswith("age1")}
    if not recovery and not any(EXAMPLE in rule.keys for rule in rules):
        yield warn(
            "no recovery key is among the recipients",
            "whoever loses this machine and the host loses every secret",
            f"{NEW}: it makes one, to be kept offline",
            RULES,
            rules[0].line,
        )
    for rule in rules:
        if recovery and not recovery & rule.keys:
            yield warn(
                "a rule without the recovery key",
                "what it governs is lost with its other keys",
                "add it to this rule, then sops updatekeys FILE",
                RULES,
                rule.line,
            )
    yield ok(f"{several(len(rules), 'rule')}, {several(len(encrypted), 'encrypted file')}")


async def _example(context: Context) -> Found:
    encrypted, rules = await files(context), tuple[Rule, ...]()
    with contextlib.suppress(UsageError):  # `secrets.rules` tells it
        rules = await context.rules()
    readable = [path for path, readers in encrypted.items() if EXAMPLE in readers]
    governing = [rule for rule in rules if EXAMPLE in rule.keys]
    if readable or governing:
        yield fail(
            "these secrets are not yours yet",
            f"the throw-away key of the examples, which everybody has, opens {several(len(readable), 'file')}"
            + (f" and is in {several(len(governing), 'rule')}" if governing else ""),
            f"{OWN} ({NEW})",
            RULES,
            governing[0].line if governing else 0,
        )
    elif EXAMPLE_KEY in await context.paths():
        yield note(
            "the throw-away key is still in the tree",
            "nothing is encrypted for it any more",
            f"git rm {EXAMPLE_KEY}",
            EXAMPLE_KEY,
        )
    else:
        yield ok("no throw-away key is left")


async def _drift(context: Context) -> Found:
    rules, encrypted = await context.rules(), await files(context)
    drifted = 0
    for path, readers in encrypted.items():
        rule = ruled(rules, path)
        if rule is None or not rule.recipients:
            continue
        missing, over = rule.keys - set(readers), set(readers) - rule.keys
        if missing or over:
            drifted += 1
            parts = [f"lacks {_names(missing, rule)}"] if missing else []
            parts += [f"can still be read by {_names(over, rule)}"] if over else []
            yield warn("recipients differ from the rule", "; ".join(parts), f"sops updatekeys {path}", path)
    if not drifted:
        yield ok(f"{several(len(encrypted), 'file')} as the rules say")


def _names(keys: Mapping[str, object] | set[str] | frozenset[str], rule: Rule) -> str:
    known = {recipient.key: recipient.name for recipient in rule.recipients}
    return ", ".join(sorted(known.get(key) or short(key) for key in keys))


def short(key: str) -> str:
    """Enough of a public key to know it by."""
    kind, _, data = key.partition(" ")
    return f"{kind} …{data[-_SHORT:]}" if data else f"{key[:_SHORT]}…"


async def _hosts(context: Context) -> Found:
    """A host that cannot decrypt what it is to render refuses the deploy."""
    settings, encrypted = context.homelab, await files(context)
    for host in context.looked_at:
        wanted = {secret.file for name in host.projects for secret in settings.projects[name].secrets}
        if not host.host_key:
            yield skipped(
                f"{host.name}: its key is not in cockpit.yaml",
                "whether it can decrypt is seen by looking at the host (hosts.secrets)",
            )
            continue
        if host.identity != "/etc/ssh/ssh_host_ed25519_key":
            yield skipped(f"{host.name}: it decrypts with {host.identity}", "whose public half cannot be seen from here")
            continue
        unread = list(lacking(host.host_key, wanted, encrypted))
        for finding in unread:
            yield finding
        if not unread:
            yield ok(f"{host.name} reads its {several(len(wanted), 'file')}")


def lacking(key: str, wanted: set[str], encrypted: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    for path in sorted(wanted):
        if path in encrypted and key not in encrypted[path]:
            yield fail(
                "the host is not among its recipients",
                "it cannot render the secret, so a deploy is refused",
                f"add `{short(key)}` (host_key: in cockpit.yaml) to the rule, then sops updatekeys {path}",
                path,
            )


CHECKS = (
    Check(
        "secrets.sops",
        "sops",
        Group.SECRETS,
        Level.FAIL,
        "Which sops is used, and its version: 3.9 or newer, better 3.12.2.",
        _sops,
    ),
    Check(
        "secrets.identity",
        "your key",
        Group.SECRETS,
        Level.FAIL,
        "An age or ssh key of this machine that sops finds, and that nobody else can read.",
        _identity,
    ),
    Check(
        "secrets.example",
        "throw-away key",
        Group.SECRETS,
        Level.FAIL,
        "Nothing is encrypted for the key of the examples, whose private half is public.",
        _example,
    ),
    Check("secrets.rules", "rules", Group.SECRETS, Level.WARN, "`.sops.yaml` has rules, each with a recovery key.", _rules),
    Check(
        "secrets.drift",
        "recipients",
        Group.SECRETS,
        Level.WARN,
        "Each file is encrypted for whom its rule names, no more, no fewer.",
        _drift,
    ),
    Check(
        "secrets.hosts",
        "hosts can read",
        Group.SECRETS,
        Level.FAIL,
        "The pinned key of each host is a recipient of the secrets that it renders.",
        _hosts,
    ),
)
