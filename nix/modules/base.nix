# What every host has: boot loader, accounts without passwords, nix that keeps itself small, logs that end.
{ lib, pkgs, ... }:
{
  # ---- boot ------------------------------------------------------------------------------------------------------------------
  boot.loader.systemd-boot = {
    enable = lib.mkDefault true;
    # more than `keep:` in cockpit.yaml and what is kept beside: the loader cannot be told to boot what is not in its menu, so a
    # rollback to it would fail
    configurationLimit = lib.mkDefault 20;
    # an edited command line is a root shell without a key
    editor = false;
  };
  boot.tmp.cleanOnBoot = true;

  # ---- accounts --------------------------------------------------------------------------------------------------------------
  # what is not in this repository is not on the host
  users.mutableUsers = false;
  # no account has a password that sudo could ask for
  security.sudo.wheelNeedsPassword = false;

  # ---- nix -------------------------------------------------------------------------------------------------------------------
  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];
  # everything comes from flake.lock: no channels, no list of flakes from elsewhere
  nix.channel.enable = false;
  nix.settings.flake-registry = "";
  nix.optimise.automatic = true;
  # generations are pruned by cockpit (keep: in cockpit.yaml); this frees what no generation needs
  nix.gc = {
    automatic = true;
    dates = "weekly";
  };

  # ---- memory and logs -------------------------------------------------------------------------------------------------------
  # compressed memory instead of a swap partition: nothing secret reaches a disk
  zramSwap.enable = true;
  # containers log here as well, all through one unit: no limit that would drop the lines of one because another is loud
  services.journald = {
    rateLimitBurst = 0;
    extraConfig = ''
      SystemMaxUse=4G
      SystemKeepFree=2G
      MaxRetentionSec=3month
    '';
  };

  environment.systemPackages = with pkgs; [
    curl
    git
    jq
  ];
}
