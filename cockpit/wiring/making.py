"""The composition root of what makes a homelab, as `cockpit.wiring` is of what runs one."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from cockpit import __version__
from cockpit import config as files
from cockpit.actions.new.homelab import Init, Workshop
from cockpit.actions.sealing.renew import Bench, Renew
from cockpit.adapters import newtree, reference
from cockpit.adapters.fileset import DiskFiles
from cockpit.adapters.keys import SystemKeys
from cockpit.adapters.sops.store import SopsStore
from cockpit.cli.adopt import Tools
from cockpit.domain.errors import CockpitError, Refused
from cockpit.domain.inventory import Inventory
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import TEMPLATE, parse
from cockpit.domain.settings import HostSettings, Role, Settings
from cockpit.ports import SecretStore, Surveyor


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


def open_adopt(ask: Callable[[str], str] | None) -> Tools:
    """What `cockpit adopt` needs."""
    return Tools(reference.top(), survey, known_guests, DiskFiles, known, ask)


def known(root: Path) -> Settings | None:
    """Of a repository that has a cockpit.yaml. SettingsError."""
    file = root / "cockpit.yaml"
    return files.load(file) if file.is_file() else None


async def survey(host: HostSettings, known_hosts: str | None) -> Inventory:
    """What runs on a host that is not cockpit's yet."""
    from cockpit.adapters.nixos.inventory import HostSurveyor
    from cockpit.adapters.ssh import SshConnection

    keys = Path(known_hosts) if known_hosts else None
    surveyor: Surveyor = HostSurveyor(SshConnection(host, keys), sudo=host.user != "root")
    try:
        return await surveyor.inventory()
    finally:
        await surveyor.close()


async def known_guests(root: Path) -> tuple[str, ...]:
    """Guests of the clusters that a repository's cockpit.yaml names, if it is there; one line each."""
    if not (root / "cockpit.yaml").is_file():
        return ()
    from cockpit.actions import looks
    from cockpit.wiring import open_cockpit

    found: list[str] = []
    cockpit = open_cockpit(config=str(root / "cockpit.yaml"), headless=True)
    try:
        for look in await looks.guests(cockpit, ()):
            if look.value is None:
                found.append(f"of {look.source}: not known, {look.error}")
            else:
                found += [f"{look.source}/{guest.vmid} {guest.name} ({guest.status})" for guest in look.value.guests[:100]]
    finally:
        await cockpit.close()
    return tuple(found)
