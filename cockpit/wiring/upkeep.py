"""The composition root of `cockpit lock` and `cockpit update`: beside `wiring`, what knows adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cockpit import config as files
from cockpit.actions.lock import Lock
from cockpit.actions.update import Update
from cockpit.actions.upkeep import Upkeep
from cockpit.adapters.compose_files import ComposeYaml
from cockpit.adapters.git.repository import GitRepository
from cockpit.adapters.git.worktree import GitWorkTree
from cockpit.adapters.later import later
from cockpit.adapters.nixos.local import LocalBuilder
from cockpit.adapters.nixos.upkeep import LocalNix
from cockpit.domain.settings import Role

if TYPE_CHECKING:
    from cockpit.adapters.registry import OciRegistry


def open_upkeep(config: str | None) -> Upkeep:
    """What renews a repository: its compose files and their registries, its flakes. Nothing is asked yet."""

    def registry() -> OciRegistry:
        from cockpit.adapters.registry import OciRegistry

        return OciRegistry()

    settings, user = files.load(Path(config) if config else files.find(Path.cwd())), files.load_user()
    tree = GitWorkTree(settings.root)
    lock = Lock(settings.projects, tree, ComposeYaml(), later(registry), observes=user.role is Role.OBSERVE)
    repository, nix, builder = GitRepository(settings.root), LocalNix(settings.root), LocalBuilder(settings.root)
    return Upkeep(lock, Update(settings.hosts, tree, repository, nix, builder, lock))
