"""What works in every pane, and in every list."""

from __future__ import annotations

from cockpit.actions.catalog.base import (
    FILES,
    GENERATIONS,
    GUESTS,
    HOSTS,
    LISTS,
    LOGS,
    OVERVIEW,
    RELEASES,
    SERVICES,
    SNAPSHOTS,
    Action,
    Check,
    Target,
)

_TABBED = (HOSTS, GENERATIONS, SERVICES, LOGS, GUESTS, SNAPSHOTS)

ACTIONS: tuple[Action, ...] = (
    Action("pane.overview", "Overview", "overview", ("1",), "1", target=Target.PANE, description="Problems first."),
    Action("pane.vms", "VMs", "vms", ("2",), "2", target=Target.PANE, description="Guests of the hypervisor."),
    Action("pane.hosts", "Hosts", "hosts", ("3",), "3", target=Target.PANE, description="NixOS hosts and their generations."),
    Action("pane.services", "Services", "services", ("4",), "4", target=Target.PANE, description="Services and logs."),
    Action("pane.files", "Files", "files", ("5",), "5", target=Target.PANE, description="The repository."),
    Action("pane.releases", "Releases", "releases", ("6",), "6", target=Target.PANE, description="Every deploy and rollback."),
    Action("tab.previous", "Previous detail tab", "tab", ("left_square_bracket",), "[", _TABBED),
    Action("tab.next", "Next detail tab", "tab", ("right_square_bracket",), "]", _TABBED),
    Action("focus.next", "Next panel", "panel", ("tab",), "tab"),
    Action("focus.previous", "Previous panel", "panel", ("shift+tab",), "shift+tab"),
    Action("move.down", "Down", "down", ("j", "down"), "j"),
    Action("move.up", "Up", "up", ("k", "up"), "k"),
    Action("move.left", "Left", "left", ("h", "left"), "h", (FILES,)),
    Action("move.right", "Right", "right", ("l", "right"), "l", (FILES,)),
    Action("move.top", "First row", "first", ("g g", "home"), "g g"),
    Action("move.bottom", "Last row", "last", ("G", "end"), "G", description="In logs: back to the newest line, following."),
    Action("move.half_down", "Half a page down", "half down", ("ctrl+d",), "ctrl+d"),
    Action("move.half_up", "Half a page up", "half up", ("ctrl+u",), "ctrl+u"),
    Action("list.open", "Open", "open", ("enter",), "enter", (OVERVIEW, *LISTS, FILES), Target.ROW, footer=True,
           description="Never activates."),
    Action("list.mark", "Mark", "mark", ("space",), "space", LISTS, Target.ROW, description="Marked rows are acted on together."),
    Action("app.timeline", "What changed", "what changed", ("w",), "w", (OVERVIEW, *LISTS), footer=False,
           description="Releases, tasks, starts, exits and reboots of everything, newest first."),
    Action("app.filter", "Filter in place", "filter", ("slash",), "/", footer=True, description="/!x inverse, /-f x fuzzy."),
    Action("app.search", "Search", "search", ("ctrl+f",), "ctrl+f"),
    Action("search.next", "Next match", "next", ("n",), "n"),
    Action("search.previous", "Previous match", "previous", ("N",), "N"),
    Action("app.copy", "Copy ...", "copy", ("ctrl+o",), "ctrl+o", description="Menu of what can be copied, by OSC 52."),
    Action("app.url", "Open its URL", "open url", ("o",), "o", (RELEASES, GUESTS), Target.ROW,
           description="The CI run, the guest in the web interface; copied too."),
    Action("app.zoom_in", "Larger", "zoom", ("plus",), "+"),
    Action("app.zoom_out", "Smaller", "zoom", ("underscore",), "_"),
    Action("app.refresh", "Refresh", "refresh", ("ctrl+r",), "ctrl+r", description="Reads again now and sorts."),
    Action("app.menu", "Menu of all actions for the target", "menu", ("m",), "m", footer=True),
    Action("app.command", "Command line", "command", ("colon",), ":",
           description="A pane, an address, an action by its id, `theme light`, `q`; tab completes."),
    Action("app.palette", "Command palette", "palette", ("ctrl+p",), "ctrl+p", footer=True),
    Action("app.help", "Help for what has focus", "help", ("question_mark",), "?", footer=True),
    Action("app.arm", "Arm or disarm writing", "arm", ("W",), "W", description="For ten minutes, with a visible countdown."),
    Action("app.journal", "Journal of commands", "journal", ("at",), "@", description="The commands that were really run."),
    Action("app.back", "Back", "back", ("escape",), "esc", description="What was typed, the marks, then where it came from."),
    Action("app.close", "One level back, or leave", "close", ("q",), "q"),
    Action("app.quit", "Leave cockpit", "quit", ("ctrl+q",), "ctrl+q"),
)  # fmt: skip

CHECKS: dict[str, Check] = {}
