"""The composition root of what makes a homelab, as `cockpit.wiring` is of what runs one."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from cockpit import __version__
from cockpit import config as files
from cockpit.actions.new.homelab import Init, Workshop
from cockpit.actions.sealing.renew import Bench, Renew
from cockpit.adapters import newtree, reference
from cockpit.adapters.fileset import DiskFiles
from cockpit.adapters.keys import SystemKeys
from cockpit.adapters.sops.store import SopsStore
from cockpit.domain.errors import CockpitError, Refused
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import TEMPLATE, parse
from cockpit.domain.settings import Role, Settings
from cockpit.ports import SecretStore


async def open_init(directory: str) -> Workshop:
    """What `cockpit init` needs; refuses before anything is asked, where it could not end. Refused, UsageError, SecretError."""

    folder = newtree.NewFolder(Path(directory))
    folder.check()
    identity = files.load_user().identity
    await SopsStore(folder.root).version()
    author = await newtree.identity(folder.target.parent)
    tree, keys = await asyncio.to_thread(reference.read), SystemKeys(identity)
    if TEMPLATE not in tree:
        raise CockpitError("the reference homelab is not whole", f"it has no {TEMPLATE}", "install cockpit again")
    template = parse(files.plain(tree[TEMPLATE].data.decode()))

    def open_store(key: Secret | None) -> SecretStore:
        return SopsStore(folder.root, key if key is not None else identity)

    def settings(root: Path) -> Settings:
        return files.load(root / "cockpit.yaml")

    return Workshop(keys, template, author, Init(tree, folder, keys, open_store, files.plain, settings, __version__))


async def open_secrets(config: str | None) -> Bench:
    """What `cockpit secrets new` needs. Refused, UsageError, SecretError."""

    root, user = files.load(Path(config) if config else files.find(Path.cwd())).root, files.load_user()
    if user.role is Role.OBSERVE:
        raise Refused(
            "this role only looks", "role: observe, in your settings", "remove the line, or use the account that operates"
        )
    identity = user.identity
    # rules alone, which are not secret, and gone when it ends
    staging, keys = newtree.NewFolder(Path(tempfile.gettempdir()) / f"cockpit-{os.getpid()}"), SystemKeys(identity)

    def open_store(key: Secret | None) -> SecretStore:
        return SopsStore(staging.root, key if key is not None else identity)

    await SopsStore(root).version()
    renew = Renew(DiskFiles(root), staging, keys, open_store, files.plain)
    return Bench(keys, await renew.template(), renew)
