"""`cockpit init`: a new homelab that is whole when it appears, with secrets that its readers are proven to open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.actions.new import edits
from cockpit.actions.new.answers import Answers
from cockpit.actions.new.plant import plant
from cockpit.actions.new.readme import Step
from cockpit.actions.sealing import makers
from cockpit.actions.sealing.makers import Values
from cockpit.actions.sealing.readers import RULES, Readers, check, rules
from cockpit.actions.sealing.seal import OpenStore, Proof, prove, seal
from cockpit.domain.errors import CockpitError
from cockpit.domain.files import NewFile
from cockpit.domain.keys import KeyPair
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import Template
from cockpit.domain.settings import Settings
from cockpit.ports.making import Keys, NewTree

MESSAGE = "A homelab, made by cockpit init\n"


class Wanted(Struct, frozen=True):
    answers: Answers
    readers: Readers
    privates: Mapping[str, Secret]
    """`recovery`, or a host's name -> private key, where it is here."""
    given: Mapping[str, Secret]
    """What the template asks for."""
    operator: KeyPair | None = None
    """An operator's key that was made now, and is kept on this machine when all is well."""


class Made(Struct, frozen=True):
    commit: str
    files: tuple[str, ...]
    values: Values
    readers: Readers
    proof: Proof
    kept: Path | None
    """Where the operator's new key is."""
    steps: tuple[Step, ...]


class Workshop(Struct, frozen=True):
    """What the command line needs to ask and to begin."""

    keys: Keys
    template: Template
    author: tuple[str, str] | None
    """(name, address) that git gives its commits on this machine."""
    init: Init


class Init:
    """`tree` is the place of the new homelab, `load` reads YAML, `settings` reads a cockpit.yaml."""

    def __init__(
        self,
        reference: Mapping[str, NewFile],
        tree: NewTree,
        keys: Keys,
        open_store: OpenStore,
        load: Callable[[str], Any],
        settings: Callable[[Path], Settings],
        version: str,
    ) -> None:
        self._reference = reference
        self._tree = tree
        self._keys = keys
        self._open_store = open_store
        self._load = load
        self._settings = settings
        self._version = version

    async def execute(self, wanted: Wanted) -> Made:
        """On any failure, and when it is interrupted, nothing is left: no folder, no key."""
        kept = False
        try:
            made = await self._make(wanted)
            if wanted.operator is not None:
                self._keys.keep(wanted.operator.private)
                kept = True
            await self._tree.finish()
        except BaseException:
            if kept and wanted.operator is not None:
                self._keys.forget(wanted.operator.private)
            await self._tree.discard()
            raise
        return made

    async def _make(self, wanted: Wanted) -> Made:
        answers, readers = wanted.answers, wanted.readers
        made_host_key = answers.host in wanted.privates
        files, template, first = plant(self._reference, answers, self._load, version=self._version, made_host_key=made_host_key)
        check(readers, template.hosts())
        key = readers.hosts[answers.host]
        settings = edits.pin_host_key(files["cockpit.yaml"].data.decode(), answers.host, key)
        files |= {"cockpit.yaml": NewFile(settings.encode()), RULES: NewFile(rules(readers).encode())}
        await self._tree.write(files)
        self._check_settings(answers, key)
        host_keys = {host: private for host, private in wanted.privates.items() if host in readers.hosts}
        values = makers.make(template, wanted.given, host_keys)
        sealed = await seal(values, readers, self._open_store(None))
        mine = wanted.operator.private if wanted.operator is not None else None
        proof = await prove(values, sealed, readers, wanted.privates, self._open_store, mine)
        await self._tree.write({path: NewFile(data) for path, data in sealed.items()})
        commit = await self._tree.commit(MESSAGE, answers.author)
        return Made(
            commit,
            tuple(sorted({*files, *sealed})),
            values,
            readers,
            proof,
            self._keys.place if wanted.operator is not None else None,
            first,
        )

    def _check_settings(self, answers: Answers, key: str) -> None:
        """That the edits came to what was meant. SettingsError, CockpitError."""
        settings = self._settings(self._tree.root)
        host = settings.hosts.get(answers.host)
        guest = f"{edits.CLUSTER}/{answers.proxmox.vmid}" if answers.proxmox is not None else None
        if host is None or (host.address, host.host_key) != (answers.address, key) or (guest and host.guest != guest):
            raise CockpitError(
                "cockpit.yaml does not say what it should", f"of the host {answers.host}", "a defect: please report it"
            )
