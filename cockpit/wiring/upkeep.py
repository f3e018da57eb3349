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
from cockpit.domain.settings import Role, Settings, UserSettings
from cockpit.ports import WorkTree

if TYPE_CHECKING:
    from cockpit.adapters.registry import OciRegistry


def open_upkeep(config: str | None) -> Upkeep:
    """What renews a repository: its compose files and their registries, its flakes. Nothing is asked yet."""

    settings, user = files.load(Path(config) if config else files.find(Path.cwd())), files.load_user()
    tree = GitWorkTree(settings.root)
    made = lock(settings, user, tree)
    repository, nix, builder = GitRepository(settings.root), LocalNix(settings.root), LocalBuilder(settings.root)
    return Upkeep(made, Update(settings.hosts, tree, repository, nix, builder, made))


def lock(settings: Settings, user: UserSettings, tree: WorkTree) -> Lock:
    """Registries are asked by what writes it only."""

    def registry() -> OciRegistry:
        from cockpit.adapters.registry import OciRegistry

        return OciRegistry()

    return Lock(settings.projects, tree, ComposeYaml(), later(registry), observes=user.role is Role.OBSERVE)
