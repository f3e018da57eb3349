"""The terminal cockpit for a homelab that is written as code."""

__version__ = "0.1.0"
