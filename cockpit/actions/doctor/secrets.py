"""Secrets: what has to be encrypted is, and what this machine can read is whole. Placeholders are found; no value is shown."""

from __future__ import annotations

import asyncio

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.recipients import NEW, RULES, files, ruled
from cockpit.domain.errors import CockpitError, SettingsError
from cockpit.domain.findings import Group, Level, fail, note, ok, skipped, warn
from cockpit.domain.secret_template import PLACEHOLDER
from cockpit.domain.units import several


async def _governed(context: Context) -> Found:
    rules, encrypted, store = await context.rules(), await files(context), context.secrets
    for path in encrypted:
        if ruled(rules, path) is None:
            yield warn(
                "no rule governs this encrypted file",
                "it cannot be encrypted again, and its readers are nobody's decision",
                f"add a rule for it to {RULES}",
                path,
            )
    plain = 0
    for path in await context.paths():
        if path in encrypted or store is None or not store.governs(path):
            continue
        data = await context.bytes_of(path)
        if data is not None and data.strip():
            plain += 1
            yield fail(
                "plain text where a rule wants it encrypted",
                "whoever reads the repository reads it, in its history too",
                f"sops encrypt -i {path}, commit, and replace the values",
                path,
            )
    if not plain:
        yield ok("nothing stands in plain text that a rule names")


async def _opens(context: Context) -> Found:
    encrypted, store = await files(context), context.secrets
    mine = {key for identity in await context.identities() for key in identity.recipients}
    if store is None or not encrypted:
        yield ok("there is nothing encrypted")
        return
    opened = 0
    for path, readers in encrypted.items():
        if not mine & set(readers):
            continue
        try:
            await opened_file(context, path)
            opened += 1
        except CockpitError as error:
            yield fail(f"{path} cannot be decrypted", error.why, error.hint, path)
    closed = [path for path, readers in encrypted.items() if not mine & set(readers)]
    if closed and not mine:
        yield skipped("no key of this machine can be tried", f"{several(len(closed), 'file')} stay closed here")
    elif closed:
        shown = ", ".join(closed[:3]) + (f" and {len(closed) - 3} more" if len(closed) > 3 else "")
        yield note(
            f"{several(len(closed), 'file')} this machine cannot read",
            shown,
            "whoever can: add your key to the rule, then sops updatekeys FILE",
        )
    yield ok(f"{several(opened, 'file')} opened")


async def opened_file(context: Context, path: str) -> tuple[tuple[str, int], ...]:
    """(dotted path, line) of every placeholder in an encrypted file; its values go no further. SecretError."""

    async def look() -> tuple[tuple[str, int], ...]:
        data, store = await context.bytes_of(path), context.secrets
        if store is None or data is None:
            return ()
        text = (await store.decrypt(path, data)).reveal().decode("utf-8", "replace")
        if PLACEHOLDER not in text:
            return ()
        try:
            node = await asyncio.to_thread(context.parse, text, path, [])
        except SettingsError:
            return ((path.rpartition("/")[2], 0),)
        found = {scalar.line for scalar in node.scalars() if PLACEHOLDER in scalar.text}
        return tuple((key, line) for key, line in node.leaves() if line in found) or ((path.rpartition("/")[2], 0),)

    return await context.once(("opened", path), look)


async def _placeholders(context: Context) -> Found:
    encrypted, looked, left = await files(context), 0, 0
    mine = {key for identity in await context.identities() for key in identity.recipients}
    for path, readers in encrypted.items():
        if not mine & set(readers):
            continue
        try:
            found = await opened_file(context, path)
        except CockpitError:
            continue  # `secrets.opens` tells it
        looked += 1
        for key, _ in found:
            left += 1
            yield warn(
                f"{key} is still a placeholder",
                "the service that needs it does not work",
                f"sops edit {path}, or e on it in Files",
                path,
            )
    if not looked and encrypted:
        yield skipped("nothing could be decrypted here", "placeholders cannot be looked for")
    elif not left:
        yield ok(f"none in {several(looked, 'file')}")


async def _named(context: Context) -> Found:
    """Keys stay legible in an encrypted file: no key is needed to see that one is missing."""
    settings, paths = context.homelab, set(await context.paths())
    count = 0
    for name in context.projects:
        for secret in settings.projects[name].secrets:
            count += 1
            if secret.file not in paths:
                yield fail(f"{name}/{secret.name}: there is no {secret.file}", "a deploy is refused", NEW, "cockpit.yaml")
            elif secret.key is not None and (await _lacks(context, secret.file, secret.key)):
                yield fail(
                    f"{name}/{secret.name}: {secret.file} has no key {secret.key}",
                    "a deploy is refused",
                    f"sops edit {secret.file}",
                    secret.file,
                )
    for cluster in settings.clusters.values():
        file = cluster.secret.file
        if file is not None and file not in paths:
            yield fail(f"cluster {cluster.name}: there is no {file}", "it cannot be signed in to", NEW, "cockpit.yaml")
    yield ok(several(count, "secret"))


async def _lacks(context: Context, path: str, key: str) -> bool:
    if not path.endswith((".yaml", ".yml")):
        return False
    try:
        node, _ = await context.yaml(path)
    except CockpitError:
        return False
    return not node.get(key).there and not node.get(*key.split(".")).there


CHECKS = (
    Check(
        "secrets.governed",
        "encrypted",
        Group.SECRETS,
        Level.FAIL,
        "What a rule names is encrypted, and what is encrypted has a rule.",
        _governed,
    ),
    Check(
        "secrets.opens",
        "you can read",
        Group.SECRETS,
        Level.FAIL,
        "What this machine's key is a recipient of decrypts.",
        _opens,
        deadline=60.0,
    ),
    Check(
        "secrets.placeholders",
        "placeholders",
        Group.SECRETS,
        Level.WARN,
        "No value begins with `fill-in:` any more. Values are never shown.",
        _placeholders,
        deadline=60.0,
    ),
    Check("secrets.named", "named", Group.SECRETS, Level.FAIL, "Every file and key that cockpit.yaml names is there.", _named),
)
