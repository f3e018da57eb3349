"""`cockpit secrets new`: a repository's secrets from nothing, for readers of its own. All of it or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.actions.new.edits import pin_host_key
from cockpit.actions.sealing import makers
from cockpit.actions.sealing.makers import Values
from cockpit.actions.sealing.readers import RULES, Readers, check, rules
from cockpit.actions.sealing.seal import OpenStore, Proof, prove, seal
from cockpit.domain.errors import CockpitError, Refused, UsageError
from cockpit.domain.files import NewFile
from cockpit.domain.keys import EXAMPLE, EXAMPLE_KEY, KeyPair
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import OPERATOR, PLACEHOLDER, TEMPLATE, Ask, Later, Template, parse
from cockpit.ports import SecretStore
from cockpit.ports.making import FileSet, Keys, NewTree

SETTINGS = "cockpit.yaml"


class Renewed(Struct, frozen=True):
    files: tuple[str, ...]
    """What was written."""
    removed: tuple[str, ...]
    values: Values
    readers: Readers
    proof: Proof
    kept: Path | None
    """Where the operator's new key is."""


class Wanted(Struct, frozen=True):
    readers: Readers
    privates: Mapping[str, Secret]
    """`recovery`, or a host's name -> private key, where it is here."""
    given: Mapping[str, Secret]
    """What the template asks for."""
    operator: KeyPair | None = None
    """An operator's key that was made now, and is kept on this machine when all is well."""
    force: bool = False


class Bench(Struct, frozen=True):
    """What the command line needs to ask and to begin."""

    keys: Keys
    template: Template
    renew: Renew


class Renew:
    """`files` is the repository's tree, `staging` a place for the new rules, `load` reads YAML."""

    def __init__(self, files: FileSet, staging: NewTree, keys: Keys, open_store: OpenStore, load: Callable[[str], Any]) -> None:
        self._files = files
        self._staging = staging
        self._keys = keys
        self._open_store = open_store
        self._load = load

    async def template(self) -> Template:
        found = await self._files.read([TEMPLATE])
        if TEMPLATE not in found:
            raise UsageError(f"there is no {TEMPLATE}", "it says which secrets there must be", "docs/secrets.md shows its form")
        return parse(self._load(found[TEMPLATE].decode("utf-8", "replace")))

    async def execute(self, wanted: Wanted) -> Renewed:
        template = await self.template()
        check(wanted.readers, template.hosts())
        before, left = await self._files.read(["secrets", RULES, SETTINGS]), await self._files.left(["secrets"])
        if not wanted.force:
            if left:
                raise Refused(
                    f"an earlier run was killed while it wrote: {left[0]}",
                    "files of before and of after stand side by side",
                    f"--force makes all of them anew; or git restore secrets {RULES} {SETTINGS}, rm {' '.join(left)}",
                )
            await self._nothing_lost(before, template)
        host_keys = {host: key for host, key in wanted.privates.items() if host in wanted.readers.hosts}
        values = makers.make(template, wanted.given, host_keys)
        try:
            await self._staging.write({RULES: NewFile(rules(wanted.readers).encode())})
            sealed = await seal(values, wanted.readers, self._open_store(None))
            mine = wanted.operator.private if wanted.operator is not None else None
            proof = await prove(values, sealed, wanted.readers, wanted.privates, self._open_store, mine)
        finally:
            await self._staging.discard()
        after: dict[str, bytes | None] = {RULES: rules(wanted.readers).encode(), **sealed}
        settings = before.get(SETTINGS, b"").decode("utf-8", "replace")
        for host, key in wanted.readers.hosts.items():
            settings = pin_host_key(settings, host, key)
        after[SETTINGS] = settings.encode()
        gone = [path for path in before if path not in after and (path == EXAMPLE_KEY or self._of_template(path, template))]
        await self._replace(after | dict.fromkeys([*gone, *left]), wanted.operator)
        kept = self._keys.place if wanted.operator is not None else None
        return Renewed(tuple(sorted(after)), tuple(gone), values, wanted.readers, proof, kept)

    async def _replace(self, files: Mapping[str, bytes | None], operator: KeyPair | None) -> None:
        """The key is on the disk before anything is encrypted for it there."""
        if operator is not None:
            self._keys.keep(operator.private)
        try:
            await self._files.replace(files)
        except BaseException:
            if operator is not None:
                self._keys.forget(operator.private)
            raise

    @staticmethod
    def _of_template(path: str, template: Template) -> bool:
        """Encrypted for readers of before, and no longer made: a host's private key, where the host has it alone."""
        return path.removeprefix("secrets/") in template.files

    async def _nothing_lost(self, before: Mapping[str, bytes], template: Template) -> None:
        """Refused where a value stands there that is no example's, or a file or a rule that would be left behind."""
        store = self._open_store(Secret(before[EXAMPLE_KEY])) if EXAMPLE_KEY in before else self._open_store(None)
        for path, data in before.items():
            if not path.startswith("secrets/") or path.count("/") < 2:
                continue
            if not store.is_encrypted(path, data) or set(store.readers(path, data)) != {EXAMPLE}:
                raise Refused(f"{path} is not an example", "its values would be lost", "--force, where they are to be made anew")
            keys = template.files.get(path.removeprefix("secrets/"))
            if keys is None:
                raise Refused(
                    f"{path} is not in {TEMPLATE}",
                    "nobody would be able to read it any more",
                    f"add it to {TEMPLATE}, or delete it",
                )
            for key, maker in keys.items():
                if isinstance(maker, Ask | Later) and await self._filled_in(store, path, data, key, maker):
                    raise Refused(
                        f"{path} has a value for {key}",
                        "it would be lost; everybody who has the repository can read it, so it should be replaced anyway",
                        "--force, with the new value by --set",
                    )
        if unknown := _unknown_rules(before.get(RULES, b"").decode("utf-8", "replace"), template):
            raise Refused(f"{RULES} has a rule that is not of the template", unknown, f"--force writes {RULES} without it")

    @staticmethod
    async def _filled_in(store: SecretStore, path: str, data: bytes, key: str, maker: Ask | Later) -> bool:
        try:
            value = (await store.decrypt(path, data, key)).reveal().decode("utf-8", "replace")
        except CockpitError:
            return False  # it has no such key
        return not value.startswith(PLACEHOLDER) and value != getattr(maker, "default", None)


def _unknown_rules(text: str, template: Template) -> str:
    """The first path of a rule that matches none of the template's folders."""
    for pattern in re.findall(r"^\s*-?\s*path_regex:\s*(\S.*?)\s*$", text, re.MULTILINE):
        try:
            found = re.compile(pattern.strip("'\""))
        except re.error:
            return str(pattern)
        if not any(found.search(f"secrets/{folder}/x.yaml") for folder in (*template.hosts(), OPERATOR)):
            return str(pattern)
    return ""
