"""The lab: real hosts (systemd, sshd, nix, dockerd, git, age, sops) in containers on this machine."""
