# One host: what differs between hosts is in this folder, what they share in ../../modules, as `homelab.*`.
let
  site = import ./site.nix;
in
{
  imports = [
    ./disk.nix
    ./hardware.nix
  ];

  networking.hostName = site.hostName;
  time.timeZone = site.timeZone;
  homelab.access = {
    inherit (site) admin deploy;
    plan = site.plan or [ ];
  };

  cockpit.root = ../../..;

  # of the first installation; it is not raised with the release
  system.stateVersion = "26.05";
}
