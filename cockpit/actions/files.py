"""Changes of the repository's files: saving, staging, committing, pushing, pulling and discarding, each an operation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from cockpit.actions.operations import Operations
from cockpit.actions.run import Approval, Run
from cockpit.domain.errors import Conflict, Refused, SecretError
from cockpit.domain.events import Outcome
from cockpit.domain.files import MOST_BYTES, Change, OpenFile, PushTarget, WorkStatus
from cockpit.domain.operation import Impact, Operation, Step
from cockpit.domain.plan import Tier
from cockpit.domain.secret import Secret
from cockpit.domain.text import plain
from cockpit.ports import SecretStore, WorkTree

NAMED = 12
"""Files that a dialog or a command names one by one."""


class FileActions:
    def __init__(self, tree: WorkTree, secrets: SecretStore, operations: Operations) -> None:
        self._tree = tree
        self._secrets = secrets
        self._operations = operations

    async def save(self, file: OpenFile, text: Secret, run: Run, approve: Approval) -> Outcome:
        """Writes the text over the file that was opened: encrypted, where it was. Conflict where it changed since."""

        async def plan() -> Operation:
            await self._unchanged(file)
            command = shlex.join(["sops", "edit", "--", file.path] if file.secret else ["$EDITOR", file.path])
            verb = "encrypt and save" if file.secret else "save"
            step = Step(file.path, (command.replace("'$EDITOR'", "$EDITOR"),))
            return Operation(run.id, "file.save", verb, f"Save {plain(file.path)}", Tier.REVERSIBLE, (step,))

        async def apply(step: Step) -> str:
            return await (self._seal(file, text) if file.secret else self._write(file, text))

        return await self._operations.execute(run, plan, apply, approve)

    async def _unchanged(self, file: OpenFile) -> bytes:
        now = await self._tree.read(file.path, MOST_BYTES)
        if now.digest != file.digest:
            raise Conflict(
                f"{plain(file.path)} changed on the disk",
                "somebody else wrote it after it was opened; nothing was overwritten",
                "copy your text (ctrl+o), leave with esc, and open the file again",
            )
        return now.data

    async def _write(self, file: OpenFile, text: Secret) -> str:
        await self._tree.write(file.path, text.reveal(), file.digest)
        return "saved"

    async def _seal(self, file: OpenFile, text: Secret) -> str:
        before = await self._unchanged(file)
        sealed = await self._secrets.reencrypt(file.path, text, before)
        await self._put(file.path, text, sealed, file.digest)
        old, new = before.splitlines(), set(sealed.splitlines())
        kept = sum(1 for line in old if b"ENC[" in line and line in new)
        return f"encrypted and saved; {kept} values keep their cipher text"

    async def _put(self, path: str, text: Secret, sealed: bytes, digest: str) -> None:
        """Writes cipher text that was opened again and says the same as the text."""
        if not self._secrets.is_encrypted(path, sealed):
            raise SecretError(f"{plain(path)} was not saved", "what sops made of it is not encrypted")
        got = await self._secrets.decrypt(path, sealed)
        if place := self._secrets.lost(path, text, got):
            raise Refused(
                f"{plain(path)} was not saved",
                f"sops would not keep {plain(place)} as you wrote it",
                "put quotes around octal numbers, dates and fractions",
            )
        await self._tree.write(path, sealed, digest)

    async def encrypt(self, path: str, run: Run, approve: Approval) -> Outcome:
        """A file that belongs encrypted and is not, in its place. Nothing is written that this machine cannot open."""

        async def plan() -> Operation:
            if self._secrets.is_encrypted(path, (await self._tree.read(path, MOST_BYTES)).data):
                raise Refused(f"{plain(path)} is encrypted already")
            step = Step(path, (shlex.join(["sops", "encrypt", "-i", "--", plain(path)]),))
            return Operation(run.id, "file.encrypt", "encrypt", f"Encrypt {plain(path)}", Tier.REVERSIBLE, (step,))

        async def apply(step: Step) -> str:
            content = await self._tree.read(path, MOST_BYTES)
            text = Secret(content.data)
            await self._put(path, text, await self._secrets.encrypt(path, text), content.digest)
            known = await self._tree.at_head(path) is not None
            return "encrypted; it was in git in plain text, so replace the value too" if known else "encrypted"

        return await self._operations.execute(run, plan, apply, approve)

    async def stage(self, paths: Sequence[str], run: Run, approve: Approval) -> Outcome:
        return await self._simple("file.stage", "stage", ("git", "add"), paths, run, approve)

    async def unstage(self, paths: Sequence[str], run: Run, approve: Approval) -> Outcome:
        return await self._simple("file.stage", "unstage", ("git", "restore", "--staged"), paths, run, approve)

    async def _simple(
        self, action: str, verb: str, git: Sequence[str], paths: Sequence[str], run: Run, approve: Approval
    ) -> Outcome:
        async def plan() -> Operation:
            changed = {change.path for change in (await self._tree.status()).changes}
            found = [path for path in paths if path in changed]
            if not found:
                raise Refused(f"there is nothing to {verb}", "it does not differ from HEAD")
            step = Step(_named(found), (_command(git, found),))
            return Operation(run.id, action, verb, f"{verb.capitalize()} {plain(step.target)}", Tier.REVERSIBLE, (step,))

        async def apply(step: Step) -> str:
            changed = {change.path for change in (await self._tree.status()).changes}
            found = [path for path in paths if path in changed]
            await (self._tree.stage(found) if verb == "stage" else self._tree.unstage(found))
            return f"{verb}d"

        return await self._operations.execute(run, plan, apply, approve)

    async def commit(self, message: str, run: Run, approve: Approval) -> Outcome:
        async def plan() -> Operation:
            status = await self._committable()
            if not message.strip():
                raise Refused("there is no message", "", "write one")
            staged = [change.path for change in status.changes if change.staged]
            if not staged:
                raise Refused("nothing is staged", "", "space stages a file, a all of them")
            command = shlex.join(["git", "commit", "-m", message])
            step = Step(status.branch or "HEAD", (command,))
            return Operation(
                run.id, "file.commit", "commit", f"Commit {_named(staged)}: {plain(message)}", Tier.REVERSIBLE, (step,)
            )

        async def apply(step: Step) -> str:
            return f"committed as {(await self._tree.commit(message, amend=False))[:7]}"

        return await self._operations.execute(run, plan, apply, approve)

    async def amend(self, message: str, run: Run, approve: Approval) -> Outcome:
        """The last commit anew, with what is staged; an empty message keeps its own. Refused where it was pushed."""

        async def plan() -> Operation:
            status = await self._committable()
            if not status.head:
                raise Refused("there is no commit to amend", "", "c commits")
            if status.upstream and not status.ahead:
                raise Refused(
                    "the last commit was pushed", f"{status.upstream} has it: a push would be rejected", "c commits anew"
                )
            words = ["-m", message] if message else ["--no-edit"]
            step = Step(status.branch or "HEAD", (shlex.join(["git", "commit", "--amend", *words]),))
            return Operation(run.id, "file.amend", "amend", "Amend the last commit", Tier.REVERSIBLE, (step,))

        async def apply(step: Step) -> str:
            return f"amended, now {(await self._tree.commit(message, amend=True))[:7]}"

        return await self._operations.execute(run, plan, apply, approve)

    async def _committable(self) -> WorkStatus:
        """Refused where a conflict is open, or where what is staged holds a secret in plain text."""
        status = await self._tree.status()
        conflicts = [change.path for change in status.changes if change.conflict]
        if conflicts:
            raise Refused(f"{_named(conflicts)} has a conflict", "", "edit it, then stage it")
        for change in status.changes:
            if change.staged and change.index != "D" and self._secrets.governs(change.path):
                data = await self._tree.at_index(change.path)
                if data and data.strip() and not self._secrets.is_encrypted(change.path, data):
                    raise Refused(
                        f"{plain(change.path)} is staged in plain text",
                        "a rule of .sops.yaml says that it belongs encrypted",
                        "unstage it, E encrypts it, then stage it again",
                    )
        return status

    async def push(self, run: Run, approve: Approval) -> Outcome:
        found: list[PushTarget] = []

        async def plan() -> Operation:
            target = await self._tree.push_target()
            if not target.commits and not target.new:
                raise Refused("there is nothing to push", f"{target.remote}/{target.branch} has every commit")
            found[:] = [target]
            place = f"{target.remote}/{target.branch}"
            interrupts: list[Impact] = []
            if target.deploys:
                interrupts.append(Impact("▲", f"a push to {target.branch} deploys", "CI makes the hosts run this commit"))
            goes = [Impact("●", plain(commit)) for commit in target.commits[:NAMED]]
            if len(target.commits) > NAMED:
                goes.append(Impact("●", f"and {len(target.commits) - NAMED} more commits"))
            command = shlex.join(["git", "push", *(["-u"] if target.new else []), target.remote, f"HEAD:{target.branch}"])
            tier = Tier.OUTAGE if target.deploys else Tier.REVERSIBLE
            title = f"Push {len(target.commits) or 'a branch'}{_commits(len(target.commits))} to {plain(place)}"
            return Operation(
                run.id, "file.push", "push", title, tier, (Step(place, (command,)),), tuple(interrupts), (), tuple(goes)
            )

        async def apply(step: Step) -> str:
            await self._tree.push(found[0])
            return f"pushed to {step.target}"

        return await self._operations.execute(run, plan, apply, approve)

    async def pull(self, run: Run, approve: Approval) -> Outcome:
        async def plan() -> Operation:
            status = await self._tree.status()
            if status.branch is None or status.upstream is None:
                raise Refused("there is nothing to pull from", "the branch has no upstream", "git branch -u REMOTE/BRANCH")
            step = Step(status.upstream, ("git pull --ff-only",))
            return Operation(run.id, "file.pull", "pull", f"Pull {plain(status.upstream)}", Tier.REVERSIBLE, (step,))

        async def apply(step: Step) -> str:
            return await self._tree.pull()

        return await self._operations.execute(run, plan, apply, approve)

    async def discard(self, paths: Sequence[str], run: Run, approve: Approval) -> Outcome:
        """Puts files back as HEAD has them. What HEAD does not have is deleted, and nothing brings it back."""

        async def plan() -> Operation:
            found = await self._changes(paths)
            if not found:
                raise Refused("there is nothing to discard", "it does not differ from HEAD")
            name = found[0].path.rpartition("/")[2] if len(found) == 1 else f"{len(found)} files"
            lost = [Impact("✕", plain(change.path), _loss(change)) for change in found[:NAMED]]
            if len(found) > NAMED:
                lost.append(Impact("✕", f"and {len(found) - NAMED} more files"))
            known = [c.path for c in found if not c.untracked and c.index not in "AC"]
            new = [c.path for c in found if c.untracked or c.index in "AC"]
            commands = [_command(("git", "restore", "--staged", "--worktree", "--source=HEAD"), known)] if known else []
            commands += [_command(("rm",), new)] if new else []
            step = Step(_named([c.path for c in found]), tuple(commands))
            title = f"Discard the changes of {plain(step.target)}"
            return Operation(
                run.id, "file.discard", "discard", title, Tier.DATA_LOSS, (step,), lost=tuple(lost), confirm=plain(name)
            )

        async def apply(step: Step) -> str:
            await self._tree.discard(await self._changes(paths))
            return "discarded"

        return await self._operations.execute(run, plan, apply, approve)

    async def _changes(self, paths: Sequence[str]) -> list[Change]:
        wanted = set(paths)
        return [change for change in (await self._tree.status()).changes if change.path in wanted]


def _loss(change: Change) -> str:
    if change.untracked:
        return "untracked: the file is deleted"
    if change.index in "AC":
        return "not in any commit: the file is deleted"
    if change.added is None:
        return "its changes"
    return f"+{change.added} -{change.removed} lines"


def _named(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} files"


def _command(words: Sequence[str], paths: Sequence[str]) -> str:
    shown = shlex.join([*words, "--", *(plain(path) for path in paths[:NAMED])])
    return shown if len(paths) <= NAMED else f"{shown} # and {len(paths) - NAMED} more"


def _commits(count: int) -> str:
    return "" if not count else " commit" if count == 1 else " commits"
