"""A NixOS host: one probe reads it, cockpit-transaction changes it."""
