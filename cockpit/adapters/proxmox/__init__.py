"""Proxmox VE: `cockpit.ports.Hypervisor` by proxmoxer, which is imported with the first call only."""
