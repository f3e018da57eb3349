"""A homelab on loopback alone: it speaks the real protocols, so that every adapter is the real one (`cockpit demo`)."""
