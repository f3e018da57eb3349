"""The homelab's git repository, by the git command line: its commits, and its work tree."""

from cockpit.adapters.git.repository import GitRepository
from cockpit.adapters.git.worktree import GitWorkTree

__all__ = ["GitRepository", "GitWorkTree"]
