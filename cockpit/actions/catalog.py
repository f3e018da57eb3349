"""Every action, once: bindings, footer, help, palette, menus and the documentation are made from this table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cockpit.domain.hosts import Badge, Generation, HostFacts
from cockpit.domain.plan import Tier
from cockpit.domain.releases import Release
from cockpit.domain.services import Service

EVERYWHERE = "everywhere"
HOSTS = "hosts"
GENERATIONS = "generations"
SERVICES = "services"
LOGS = "logs"
RELEASES = "releases"
LISTS = (HOSTS, GENERATIONS, SERVICES, RELEASES)
CONTEXTS = (EVERYWHERE, *LISTS, LOGS)
"""What can have the focus. An action of EVERYWHERE works in each of the others."""


class Target(Enum):
    """What an action acts on."""

    NONE = "nothing"
    PANE = "pane"
    ROW = "row"
    HOST = "host"
    GENERATION = "generation"
    SERVICE = "service"
    RELEASE = "release"
    LINES = "log lines"


@dataclass(frozen=True, slots=True)
class Action:
    id: str
    title: str
    """What the palette, menus and help say."""
    verb: str
    """One or two words for the footer."""
    keys: tuple[str, ...]
    """Default keys in Textual's notation; a chord has a space (`g g`)."""
    label: str
    """The keys as a person reads them."""
    contexts: tuple[str, ...] = (EVERYWHERE,)
    target: Target = Target.NONE
    tier: Tier = Tier.READ
    description: str = ""
    footer: bool = False
    """Whether the footer shows it when it is possible."""

    @property
    def group(self) -> str:
        """The heading in help and in the key reference."""
        return self.contexts[0]

    @property
    def context(self) -> str:
        return self.contexts[0]

    def works_in(self, context: str) -> bool:
        return EVERYWHERE in self.contexts or context in self.contexts


@dataclass(frozen=True, slots=True)
class Context:
    """What an action would act on now: decides whether it is possible."""

    focus: str = EVERYWHERE
    host: str | None = None
    facts: HostFacts | None = None
    generation: Generation | None = None
    service: Service | None = None
    release: Release | None = None
    rows: int = 1
    """Rows of the list that has the focus."""
    busy: str | None = None
    """Run id of a transaction of this process on that host."""


_OUT = Tier.OUTAGE

ACTIONS: tuple[Action, ...] = (
    Action("pane.overview", "Overview", "overview", ("1",), "1", target=Target.PANE, description="Problems first."),
    Action("pane.vms", "VMs", "vms", ("2",), "2", target=Target.PANE, description="Guests of the hypervisor."),
    Action("pane.hosts", "Hosts", "hosts", ("3",), "3", target=Target.PANE, description="NixOS hosts and their generations."),
    Action("pane.services", "Services", "services", ("4",), "4", target=Target.PANE, description="Services and logs."),
    Action("pane.files", "Files", "files", ("5",), "5", target=Target.PANE, description="The repository."),
    Action("pane.releases", "Releases", "releases", ("6",), "6", target=Target.PANE, description="Every deploy and rollback."),
    Action("tab.previous", "Previous detail tab", "tab", ("left_square_bracket",), "["),
    Action("tab.next", "Next detail tab", "tab", ("right_square_bracket",), "]"),
    Action("focus.next", "Next panel", "panel", ("tab",), "tab"),
    Action("focus.previous", "Previous panel", "panel", ("shift+tab",), "shift+tab"),
    Action("move.down", "Down", "down", ("j", "down"), "j"),
    Action("move.up", "Up", "up", ("k", "up"), "k"),
    Action("move.left", "Left", "left", ("h", "left"), "h", (GENERATIONS, LOGS, RELEASES)),
    Action("move.right", "Right", "right", ("l", "right"), "l", (GENERATIONS, LOGS, RELEASES)),
    Action("move.top", "First row", "first", ("g g", "home"), "g g"),
    Action("move.bottom", "Last row", "last", ("G", "end"), "G", description="In logs: back to the newest line, following."),
    Action("move.half_down", "Half a page down", "half down", ("ctrl+d",), "ctrl+d"),
    Action("move.half_up", "Half a page up", "half up", ("ctrl+u",), "ctrl+u"),
    Action("list.open", "Open", "open", ("enter",), "enter", LISTS, Target.ROW, footer=True, description="Never activates."),
    Action("list.mark", "Mark", "mark", ("space",), "space", LISTS, Target.ROW, description="Marked rows are acted on together."),
    Action("app.filter", "Filter in place", "filter", ("slash",), "/", footer=True, description="/!x inverse, /-f x fuzzy."),
    Action("app.search", "Search", "search", ("ctrl+f",), "ctrl+f"),
    Action("search.next", "Next match", "next", ("n",), "n"),
    Action("search.previous", "Previous match", "previous", ("N",), "N"),
    Action("app.copy", "Copy ...", "copy", ("ctrl+o",), "ctrl+o", description="Menu of what can be copied, by OSC 52."),
    Action("app.zoom_in", "Larger", "zoom", ("plus",), "+"),
    Action("app.zoom_out", "Smaller", "zoom", ("underscore",), "_"),
    Action("app.refresh", "Refresh", "refresh", ("ctrl+r",), "ctrl+r", description="Reads again now and sorts."),
    Action("app.menu", "Menu of all actions for the target", "menu", ("m",), "m", footer=True),
    Action("app.palette", "Command palette", "palette", ("ctrl+p",), "ctrl+p", footer=True),
    Action("app.help", "Help for what has focus", "help", ("question_mark",), "?", footer=True),
    Action("app.arm", "Arm or disarm writing", "arm", ("W",), "W", description="For ten minutes, with a visible countdown."),
    Action("app.journal", "Journal of commands", "journal", ("at",), "@", description="The commands that were really run."),
    Action("app.back", "Back", "back", ("escape",), "esc"),
    Action("app.close", "One level back, or leave", "close", ("q",), "q"),
    Action("app.quit", "Leave cockpit", "quit", ("ctrl+q",), "ctrl+q"),
    Action(
        "release.deploy", "Deploy this commit", "deploy", ("greater_than_sign",), ">", (EVERYWHERE,), Target.HOST, _OUT,
        "Plans a deploy of HEAD, shows it, and asks.", footer=True,
    ),
    Action(
        "host.previous", "Roll back to the last good release", "previous", ("less_than_sign",), "<", (EVERYWHERE,), Target.HOST,
        _OUT, "Plans a rollback to the previous good generation, shows it, and asks.",
    ),
    Action(
        "host.rollback", "Roll back to this generation", "roll back", ("b",), "b", (GENERATIONS,), Target.GENERATION, _OUT,
        "The same transaction as a deploy, with an earlier generation as its target; leaves a hold.", footer=True,
    ),
    Action(
        "generation.diff", "Differences with the running one", "diff", ("d",), "d", (GENERATIONS,), Target.GENERATION,
        description="Packages, services and secrets; of A and B where two are picked.", footer=True,
    ),
    Action("generation.pick", "Pick as A or B", "A/B", ("v",), "v", (GENERATIONS,), Target.GENERATION, footer=True),
    Action(
        "host.resume", "Lift the hold", "lift hold", ("R",), "R", (HOSTS, GENERATIONS, RELEASES), Target.HOST, Tier.REVERSIBLE,
        "Lets the next deploy bring back what a rollback left behind; deploys nothing.", footer=True,
    ),
    Action("host.units", "Units", "units", ("u",), "u", (HOSTS, GENERATIONS), Target.HOST, description="Failed ones first."),
    Action("host.journal", "Journal of the host", "journal", ("J",), "J", (HOSTS, GENERATIONS), Target.HOST),
    Action("service.logs", "Logs", "logs", ("l",), "l", (SERVICES, HOSTS), Target.SERVICE, footer=True,
           description="Of the marked services together, merged by time, across hosts."),
    Action("logs.follow", "Follow", "follow", ("F",), "F", (LOGS,), Target.LINES, footer=True),
    Action("logs.timestamps", "Timestamps", "time", ("t",), "t", (LOGS,), Target.LINES, footer=True),
    Action("logs.wrap", "Wrap", "wrap", ("w",), "w", (LOGS,), Target.LINES, footer=True),
    Action("logs.level", "Level", "level", ("L",), "L", (LOGS,), Target.LINES, footer=True, description="The least that shows."),
    Action("release.attach", "Attach to the run", "attach", ("a",), "a", (RELEASES,), Target.RELEASE, footer=True,
           description="Watches it to its end; starts recovery where nobody else does."),
    Action(
        "release.rollback", "Roll back to this release", "roll back", ("b",), "b", (RELEASES,), Target.RELEASE, _OUT,
        "On the hosts of the release, to the generation that it made.", footer=True,
    ),
)  # fmt: skip

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

_NO_PANE = {"pane.overview": "Overview", "pane.vms": "VMs", "pane.files": "Files"}


def actions_for(context: str) -> tuple[Action, ...]:
    """What works where this has the focus: its own first, then what works everywhere."""
    own = tuple(a for a in ACTIONS if context in a.contexts and context != EVERYWHERE)
    return own + tuple(a for a in ACTIONS if EVERYWHERE in a.contexts)


def possible(action: Action, context: Context) -> str | None:
    """Why the action cannot be done now; None when it can."""
    if pane := _NO_PANE.get(action.id):
        return f"{pane} comes in a later version"
    if not action.works_in(context.focus):
        return f"only in {' and '.join(action.contexts)}"
    if action.target in (Target.ROW, Target.GENERATION, Target.SERVICE, Target.RELEASE, Target.HOST) and not context.rows:
        return "the list is empty"
    if action.tier is not Tier.READ and context.busy is not None:
        return f"run {context.busy} is at work on {context.host}"
    check = _CHECKS.get(action.id)
    return check(context) if check is not None else None


def _deploy(context: Context) -> str | None:
    if context.facts is not None and context.facts.holder is not None:
        return f"{context.facts.holder.who} holds the lock from {context.facts.holder.origin}"
    return None


def _rollback(context: Context) -> str | None:
    generation = context.generation
    if generation is None:
        return "no generation is selected"
    if Badge.TEST_ONLY in generation.badges or generation.number is None:
        return "this is no generation: it runs from a test"
    if Badge.RUNNING in generation.badges:
        return "this generation is running"
    return _deploy(context)


def _previous(context: Context) -> str | None:
    if context.facts is not None and sum(1 for g in context.facts.generations if g.number is not None) < 2:
        return "there is no earlier generation"
    return _deploy(context)


def _diff(context: Context) -> str | None:
    if context.generation is None:
        return "no generation is selected"
    return None


def _resume(context: Context) -> str | None:
    if context.facts is None or context.facts.hold is None:
        return "nothing is held"
    return _deploy(context)


def _logs(context: Context) -> str | None:
    if context.focus == SERVICES and context.service is not None and not context.service.container:
        return "it has no container"
    return None


def _attach(context: Context) -> str | None:
    if context.release is None:
        return "no release is selected"
    if not context.release.attempts:
        return "it never reached a host"
    return None


def _release_rollback(context: Context) -> str | None:
    if context.release is None:
        return "no release is selected"
    if not any(a.generation is not None for a in context.release.attempts):
        return "it made no generation"
    return _deploy(context)


_CHECKS = {
    "release.deploy": _deploy,
    "host.previous": _previous,
    "host.rollback": _rollback,
    "generation.diff": _diff,
    "generation.pick": _diff,
    "host.resume": _resume,
    "service.logs": _logs,
    "release.attach": _attach,
    "release.rollback": _release_rollback,
}
