"""What the Files pane does with git: staging, committing, pushing, pulling, discarding, and lazygit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from cockpit.actions.run import Approval, Run
from cockpit.domain.errors import CockpitError
from cockpit.domain.events import Outcome
from cockpit.domain.files import Change
from cockpit.domain.plan import Tier
from cockpit.tui.ink import shape, t
from cockpit.tui.widgets.surface import Handlers
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.panes.files import FilesPane


Starts = Callable[[Run, Approval], Awaitable[Outcome]]


class FileChanges:
    def __init__(self, pane: FilesPane) -> None:
        self._pane = pane
        self._actions = pane.cockpit.file_actions

    def handlers(self) -> Handlers:
        return {
            "file.stage": self.stage,
            "file.all": self.all,
            "file.commit": self.commit,
            "file.amend": self.amend,
            "file.push": lambda: self._start("file.push", "Push", self._actions.push),
            "file.pull": lambda: self._start("file.pull", "Pull", self._actions.pull),
            "file.discard": self.discard,
            "file.encrypt": self.encrypt,
            "file.lazygit": self.lazygit,
        }

    @property
    def _changes(self) -> Sequence[Change]:
        return self._pane.snapshot.status.changes if self._pane.snapshot else ()

    def _start(self, action: str, title: str, work_: Starts) -> None:
        """Starts an operation, and reads the tree again when it has ended."""
        pane = self._pane
        run = pane.main.conductor.operate(action, title, work_)

        async def reread() -> None:
            outcome = await run.wait()
            pane.cockpit.fleet.tree.poke()
            await pane.cockpit.files.observer.refresh()
            if any(target.changed for target in outcome.hosts):
                pane.again()

        work(pane, reread, f"git {run.id}")

    def stage(self) -> None:
        """Everything staged already is unstaged, as in lazygit."""
        pane = self._pane
        self._turn(
            pane.listing.below(pane.path), staged=pane.focused is pane.changes and (pane.changes.key or "").startswith("staged:")
        )

    def all(self) -> None:
        self._turn([change.path for change in self._changes], staged=False)

    def _turn(self, paths: Sequence[str], *, staged: bool) -> None:
        found = [change for change in self._changes if change.path in set(paths)]
        if staged or not any(change.unstaged for change in found):
            self._start("file.stage", "Unstage", lambda run, approve: self._actions.unstage(paths, run, approve))
        else:
            self._start("file.stage", "Stage", lambda run, approve: self._actions.stage(paths, run, approve))

    def commit(self) -> None:
        self._ask("Commit", "", lambda message: lambda run, approve: self._actions.commit(message, run, approve), "file.commit")

    def amend(self) -> None:
        pane = self._pane

        async def ask() -> None:
            message = await pane.cockpit.work_tree.message()
            subject, _, rest = message.partition("\n")

            def make(typed: str) -> Starts:
                words = "" if typed == subject else f"{typed}\n{rest}".strip()
                return lambda run, approve: self._actions.amend(words, run, approve)

            self._ask("Amend", subject, make, "file.amend")

        work(pane, ask, "amend")

    def _ask(self, verb: str, text: str, make: Callable[[str], Starts], action: str) -> None:
        from cockpit.tui.screens.commit import CommitScreen

        pane = self._pane
        branch = pane.snapshot.status.branch if pane.snapshot else None
        staged = tuple(change for change in self._changes if change.staged)

        def typed(message: str | None) -> None:
            if message:
                self._start(action, verb, make(message))

        pane.app.push_screen(CommitScreen(verb, branch or "HEAD", staged, text), typed)

    def discard(self) -> None:
        from cockpit.tui.screens.discard import DiscardScreen

        pane = self._pane
        here = pane.listing.below(pane.path)
        everything = [change.path for change in self._changes]
        choices = [(f"the changes of {pane.path}", here)] if here else []
        if everything != here:
            choices.append((f"all changes, {len(everything)} files", everything))
        pane.app.push_screen(DiscardScreen(choices), self._discard)

    def _discard(self, paths: Sequence[str] | None) -> None:
        if paths:
            self._start("file.discard", "Discard", lambda run, approve: self._actions.discard(paths, run, approve))

    def encrypt(self) -> None:
        path = self._pane.path
        self._start("file.encrypt", f"Encrypt {path}", lambda run, approve: self._actions.encrypt(path, run, approve))

    def lazygit(self) -> None:
        pane = self._pane

        async def visit() -> None:
            try:
                pane.cockpit.gate.check(Tier.REVERSIBLE, "file.lazygit", "the repository")
                with pane.app.batch_update(), pane.app.suspend():
                    await pane.cockpit.work_tree.run_lazygit()
            except CockpitError as error:
                pane.main.say(shape("✕") + t(f" {error}"))
            except SuspendNotSupported:
                pane.main.say(shape("✕") + t(" this terminal cannot be handed over to lazygit"))
            pane.cockpit.files.observer.poke()
            pane.cockpit.fleet.tree.poke()

        work(pane, visit, "lazygit")
