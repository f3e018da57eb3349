# Yours: the only Nix file that must be filled in. Public ssh keys only; a host without them does not build.
{
  hostName = "homelab";
  timeZone = "Europe/Berlin";
  # you, with a shell and sudo
  admin = [
    # "ssh-ed25519 AAAA... you@laptop"
  ];
  # cockpit: your machine, and the CI that deploys
  deploy = [
    # "ssh-ed25519 AAAA... you@laptop"
  ];
}
