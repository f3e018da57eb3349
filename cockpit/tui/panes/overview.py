"""Overview."""

from __future__ import annotations

from cockpit.tui.panes.waiting import WaitingPane


class OverviewPane(WaitingPane):
    name_in_heading = "Problems"
    sentence = (
        "What is broken, held or different from git will stand here, worst first, each with its cause and the next key. "
        "Until then the tabs above carry the worst of each pane: 3 shows hosts, 4 services, 6 releases."
    )
