# The reference host: docker behind a firewall that knows the tailnet only.
{ pkgs, ... }:
let
  access = import ./access.nix;
in
{
  imports = [
    ./hardware.nix
    ./networks.nix
  ];

  networking.hostName = "homelab";
  time.timeZone = "Europe/Berlin";
  # of the first installation; it is not raised with the release
  system.stateVersion = "26.05";

  cockpit.root = ../../..;

  assertions = [
    {
      assertion = access.admin != [ ] && access.deploy != [ ];
      message = "nix/hosts/homelab/access.nix has no ssh keys: nobody could log in after this deploy";
    }
  ];

  # ---- who gets in -----------------------------------------------------------------------------------------------------------
  users.mutableUsers = false;
  users.users.admin = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = access.admin;
  };
  users.users.cockpit.openssh.authorizedKeys.keys = access.deploy;
  # no account has a password that sudo could ask for
  security.sudo.wheelNeedsPassword = false;

  services.openssh = {
    enable = true;
    openFirewall = false;
    authorizedKeysInHomedir = false;
    settings = {
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = "no";
      AllowUsers = [
        "admin"
        "cockpit"
      ];
    };
    # also the identity that decrypts this host's secrets
    hostKeys = [
      {
        path = "/etc/ssh/ssh_host_ed25519_key";
        type = "ed25519";
      }
    ];
  };

  # Once by hand, at the console: tailscale up. The node's key is state of the host, not of the repository.
  services.tailscale = {
    enable = true;
    openFirewall = true;
  };

  networking.firewall = {
    enable = true;
    interfaces.tailscale0.allowedTCPPorts = [
      22
      443
    ];
  };
  # docker publishes on the tailnet's address, which tailscale0 may get later than docker starts
  boot.kernel.sysctl."net.ipv4.ip_nonlocal_bind" = 1;

  # ---- containers ------------------------------------------------------------------------------------------------------------
  virtualisation.docker = {
    enable = true;
    logDriver = "journald";
    # the engine publishes past the firewall: a port without an address stays on loopback
    daemon.settings = {
      live-restore = true;
      ip = "127.0.0.1";
      default-network-opts.bridge."com.docker.network.bridge.host_binding_ipv4" = "127.0.0.1";
    };
    # no autoPrune: it would remove the images that a rollback needs
  };

  # ---- upkeep ----------------------------------------------------------------------------------------------------------------
  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];
  nix.optimise.automatic = true;
  # generations are pruned by cockpit (keep: in cockpit.yaml); this frees what no generation needs
  nix.gc = {
    automatic = true;
    dates = "weekly";
  };
  zramSwap.enable = true;

  environment.systemPackages = with pkgs; [
    git
    curl
  ];
}
