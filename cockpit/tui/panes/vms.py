"""VMs."""

from __future__ import annotations

from cockpit.tui.panes.waiting import WaitingPane


class VmsPane(WaitingPane):
    name_in_heading = "Guests"
    sentence = (
        "The guests of your Proxmox nodes will stand here: state, cpu, memory, backups and what tofu says of them. "
        "No hypervisor is set up; this version reads hosts and services only. Press 3 for hosts."
    )
