"""What the tour says, step by step, and how it knows that a person did it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from cockpit.actions.catalog import LOGS
from cockpit.actions.run import Run
from cockpit.tui.ink import EMPTY, Line, gap, t, width


class Seen(Struct, frozen=True):
    """Where the person is now, and the runs that ended since the step began."""

    pane: str
    focus: str
    ended: Sequence[Run] = ()

    def did(self, *actions: str, well: bool = True) -> bool:
        return any(
            run.action.startswith(actions) and run.outcome is not None and (run.outcome.exit == 0) is well
            and (well or bool(run.committed)) for run in self.ended
        )  # fmt: skip


class Step(Struct, frozen=True):
    title: str
    words: str
    """Keys stand between asterisks."""
    done: Callable[[Seen], bool]


STEPS: tuple[Step, ...] = (
    Step(
        "Overview",
        "Problems first, then every layer on a line, then what was deployed. Both hosts are behind what git says. "
        "*3* goes to the hosts.",
        lambda seen: seen.pane == "hosts",
    ),
    Step(
        "Deploy",
        "A host and all that it ever ran. *>* works out a plan: what is recreated, the exact commands, the way back. "
        "Read it; *y* deploys.",
        lambda seen: seen.did("release.deploy"),
    ),
    Step(
        "Files",
        "Main ↓1: Ben has pushed. *5* opens the files, *p* pulls his commit; writing is off at first, so *y* confirms.",
        lambda seen: seen.did("file.pull"),
    ),
    Step(
        "Break",
        "His health check asks a port where nobody listens. Deploy it all the same: *3*, *>*, *y*. "
        "The host notices, and goes back by itself.",
        lambda seen: seen.did("release.deploy", well=False),
    ),
    Step(
        "Roll back",
        "*3*, and *b* goes back to the generation with the cursor. The plan says what does not come back; "
        "a hold keeps the next push from undoing it, until *R*.",
        lambda seen: seen.did("host.rollback"),
    ),
    Step(
        "Services",
        "*4* shows every service of every host; *l* goes to its log, which is live. *L* filters levels, *F* follows, "
        "*space* marks several to merge them.",
        lambda seen: seen.pane == "services" and seen.focus == LOGS,
    ),
    Step(
        "Secrets",
        "*5*, a file with ◆ under secrets, *enter*: decrypted in memory alone. Change a value; *ctrl+s* and *y* encrypt "
        "it again. *esc* leaves the editor.",
        lambda seen: seen.did("file.save"),
    ),
    Step(
        "Guests",
        "*2* shows the virtual machines and their nodes, storages and tasks. *T* takes a snapshot of one, *r* restarts it.",
        lambda seen: seen.did("guest."),
    ),
    Step(
        "The end",
        "That was the whole round. *?* explains the keys of what has the focus, *ctrl+p* finds everything, *@* lists what was "
        "really run, *ctrl+q* leaves. All of this is gone then.",
        lambda seen: False,
    ),
)
LAST = len(STEPS) - 1


def words(text: str, cells: int) -> list[Line]:
    """Broken at spaces; what stands between asterisks is a key."""
    out: list[Line] = []
    row = EMPTY
    bold = False
    for word in text.split(" "):
        piece = EMPTY
        for index, part in enumerate(word.split("*")):
            bold = not bold if index else bold
            piece += t(part, "text b" if bold else "muted") if part else EMPTY
        if row and width(row) + 1 + width(piece) > cells:
            out.append(row)
            row = piece
        else:
            row = row + gap(1) + piece if row else piece
    return [*out, row]
