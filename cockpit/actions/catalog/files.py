"""Files of the repository, and the editor."""

from __future__ import annotations

from cockpit.actions.catalog.base import EDITOR, FILES, Action, Check, Context, Target
from cockpit.domain.files import Encryption
from cockpit.domain.plan import Tier

ACTIONS: tuple[Action, ...] = (
    Action("file.stage", "Stage or unstage", "stage", ("space",), "space", (FILES,), Target.FILE, Tier.REVERSIBLE, footer=True,
           planned=True, description="The file; of a folder, everything that changed below it."),
    Action("file.all", "Stage or unstage all", "all", ("a",), "a", (FILES,), Target.FILE, Tier.REVERSIBLE, planned=True),
    Action("file.edit", "Edit", "edit", ("e",), "e", (FILES,), Target.FILE, footer=True,
           description="Encrypted files are decrypted in memory only."),
    Action("file.diff", "Differences with HEAD", "diff", ("v",), "v", (FILES,), Target.FILE, footer=True,
           description="Of an encrypted file decrypted, with its values masked until enter shows them."),
    Action("file.commit", "Commit", "commit", ("c",), "c", (FILES,), Target.FILE, Tier.REVERSIBLE, footer=True, planned=True),
    Action("file.amend", "Amend the last commit", "amend", ("A",), "A", (FILES,), Target.FILE, Tier.REVERSIBLE, planned=True,
           description="With what is staged. Not where the commit was pushed."),
    Action("file.push", "Push", "push", ("P",), "P", (FILES,), Target.FILE, Tier.OUTAGE, footer=True, planned=True,
           description="An outage where the branch deploys, by `on.push` of .github/workflows/deploy.yml."),
    Action("file.pull", "Pull", "pull", ("p",), "p", (FILES,), Target.FILE, Tier.REVERSIBLE, planned=True,
           description="Fast-forward only."),
    Action("file.discard", "Discard ...", "discard", ("d",), "d", (FILES,), Target.FILE, Tier.DATA_LOSS, footer=True,
           planned=True, description="Menu: the changes of this file or folder, or all of them."),
    Action("file.encrypt", "Encrypt the file", "encrypt", ("E",), "E", (FILES,), Target.FILE, Tier.REVERSIBLE, footer=True,
           planned=True, description="One that a rule of .sops.yaml names and that is in plain text."),
    Action("file.lazygit", "Open lazygit", "lazygit", ("ctrl+g",), "ctrl+g", (FILES,), Target.FILE, Tier.REVERSIBLE,
           "Suspends cockpit until lazygit ends."),
    Action("file.save", "Save", "save", ("ctrl+s",), "ctrl+s", (EDITOR,), Target.FILE, Tier.REVERSIBLE, footer=True, planned=True,
           description="An encrypted file is encrypted before it is written; only what changed differs in git."),
    Action("file.show", "Show or hide the value", "show", ("ctrl+t",), "ctrl+t", (EDITOR,), Target.FILE, footer=True,
           description="Of the line with the cursor; it hides by itself."),
    Action("file.undo", "Undo", "undo", ("ctrl+z",), "ctrl+z", (EDITOR,), Target.FILE),
    Action("file.redo", "Redo", "redo", ("ctrl+y",), "ctrl+y", (EDITOR,), Target.FILE),
)  # fmt: skip

WHILE_TYPING = ("app.palette", "app.copy", "app.search", "app.back")
"""What else works in the editor: every other key types."""


def _changed(context: Context) -> str | None:
    return None if context.files is None or context.files.changed else "nothing changed"


def _file(context: Context) -> str | None:
    return "no file is selected" if context.files is None or not context.files.file else None


def _selected(context: Context) -> str | None:
    if context.files is None or not context.files.path:
        return "no file is selected"
    return None if context.files.changed_here else "it does not differ from HEAD"


def _commit(context: Context) -> str | None:
    if context.files is not None and not context.files.staged:
        return "nothing is staged: space stages a file"
    if context.files is not None and (names := context.files.exposed):
        return f"{names[0]} is staged in plain text"
    return None


def _amend(context: Context) -> str | None:
    if context.files is None or not context.files.head:
        return "there is no commit yet"
    if context.files.upstream and not context.files.ahead:
        return "the last commit was pushed"
    return None


def _push(context: Context) -> str | None:
    if context.files is None or not context.files.head:
        return "there is no commit yet"
    if context.files.upstream and not context.files.ahead:
        return "there is nothing to push"
    return None


def _pull(context: Context) -> str | None:
    return "the branch has no upstream" if context.files is None or not context.files.upstream else None


def _lazygit(context: Context) -> str | None:
    return None if context.files is not None and context.files.lazygit else "lazygit is not installed"


def _encrypt(context: Context) -> str | None:
    exposed = context.files is not None and context.files.encryption is Encryption.EXPOSED
    return None if exposed else "it is not a file in plain text that a rule of .sops.yaml names"


def _show(context: Context) -> str | None:
    return None if context.files is not None and context.files.encryption is Encryption.ENCRYPTED else "nothing is masked here"


CHECKS: dict[str, Check] = {
    "file.stage": _selected,
    "file.all": _changed,
    "file.edit": _file,
    "file.diff": _file,
    "file.commit": _commit,
    "file.amend": _amend,
    "file.push": _push,
    "file.pull": _pull,
    "file.discard": _changed,
    "file.encrypt": _encrypt,
    "file.lazygit": _lazygit,
    "file.show": _show,
}
