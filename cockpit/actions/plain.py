"""Secrets that lie in plain text in a commit: refused before anything is sent."""

from __future__ import annotations

from cockpit.actions.world import World
from cockpit.domain.errors import SecretError, UsageError
from cockpit.domain.repository import Commit
from cockpit.domain.settings import SIDECAR, HostSettings, SecretStyle


async def refuse(world: World, host: HostSettings, commit: Commit) -> None:
    """SecretError where a secret of this host's projects is plain: what is in its store can be read by everybody there."""
    for name in host.projects:
        project = world.settings.projects.get(name)
        if project is None:
            continue
        for secret in project.secrets:
            await _encrypted(world, commit, secret.file, f"secret {name}/{secret.name}")
        if world.settings.secret_style is SecretStyle.SIDECAR:
            await _sidecars(world, commit, project.source, f"project {name}")


async def _encrypted(world: World, commit: Commit, path: str, what: str) -> None:
    try:
        data = await world.repository.read(commit.sha, path)
    except UsageError:
        return  # not in the commit: the release's builder says what is missing
    if not world.secrets.is_encrypted(path, data):
        raise _plain(path, commit, what, f"sops encrypt -i {path}, commit, and replace the value: it is in the history")


async def _sidecars(world: World, commit: Commit, folder: str, what: str) -> None:
    """NAME.enc must be encrypted, and NAME must not be in git beside it."""
    names = await world.repository.files_in(commit.sha, folder)
    for name in names:
        beside = name.removesuffix(SIDECAR)
        if beside in ("", name):
            continue
        await _encrypted(world, commit, f"{folder}/{name}", what)
        if beside in names:
            path = f"{folder}/{beside}"
            fix = f"git rm --cached {path}, add it to .gitignore, and replace its values: they are in the history"
            raise _plain(path, commit, what, fix)


def _plain(path: str, commit: Commit, what: str, hint: str) -> SecretError:
    return SecretError(
        f"{path} is plain text in {commit.short}", f"{what} would lie readable in the host's store; nothing was sent", hint
    )
