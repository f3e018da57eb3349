"""Key pairs, and what of them may be shown."""

from __future__ import annotations

import re

from msgspec import Struct

from cockpit.domain.secret import Secret

EXAMPLE = "age1ur5hvh9ne9wja4g05xee0ytrz5vvjxfdgg4ghpd7cr32cwpctspqqxthma"
"""Recipient of the reference homelab's examples: its private half is public."""
EXAMPLE_KEY = "secrets/example.agekey"
"""That half, in the reference homelab."""
SSH_PUBLIC = re.compile(
    r"^(?P<key>(?P<type>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
    r" AAAA[A-Za-z0-9+/]{40,}={0,2})(?: (?P<comment>[^\x00-\x1f\x7f\"\\$]*))?$"
)
"""One line of a .pub file. Its comment may hold nothing that a Nix string would read as more than text."""


class KeyPair(Struct, frozen=True):
    private: Secret
    public: str
    """`age1...`, or `ssh-ed25519 AAAA...` without a comment."""
