# Public ssh keys. Fill both in before the first deploy: no password opens this host, and nobody is let in who is not here.
{
  # you, at the keyboard of your own machine
  admin = [
    # "ssh-ed25519 AAAA... you@laptop"
  ];
  # cockpit: your machine, and the CI that deploys
  deploy = [
    # "ssh-ed25519 AAAA... you@laptop"
  ];
}
