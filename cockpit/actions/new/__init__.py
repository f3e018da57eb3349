"""A new homelab from the reference tree: what is asked, what is edited, and how it comes to be as a whole."""
