"""Adopt: an existing repository of hosts and compose projects becomes one that cockpit deploys, without anything being moved."""
