"""The homelab's git repository, by the git command line: its commits, and its work tree."""
