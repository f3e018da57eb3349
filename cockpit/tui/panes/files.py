"""Files."""

from __future__ import annotations

from cockpit.tui.panes.waiting import WaitingPane


class FilesPane(WaitingPane):
    name_in_heading = "Files"
    sentence = (
        "The repository will stand here: its tree with git and encryption status, and an editor that opens secrets decrypted in "
        "memory. This version does not read it yet; branch, commit and changes are in the top right corner."
    )
