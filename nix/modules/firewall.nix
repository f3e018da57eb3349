# What can be reached: by default nothing but SSH (ssh.nix) and HTTPS with what redirects to it, and both through the tailnet only.
# The engine publishes ports past any firewall; docker.nix keeps those on loopback.
{ config, lib, ... }:
let
  cfg = config.homelab.firewall;
  inherit (lib) mkOption types;
  open = config.networking.firewall;
in
{
  options.homelab.firewall = {
    tailnet = mkOption {
      type = types.listOf types.port;
      default = [
        80 # Traefik sends it on to 443
        443
      ];
      description = "TCP ports that are open to the tailnet, beside SSH.";
    };
    everywhere = mkOption {
      type = types.listOf types.port;
      default = [ ];
      example = [ 53 ];
      description = "TCP ports that are open on every interface. What is open and not named here does not build.";
    };
  };

  config = {
    networking.firewall = {
      enable = true;
      allowedTCPPorts = cfg.everywhere;
      interfaces.tailscale0.allowedTCPPorts = cfg.tailnet;
    };
    assertions = [
      {
        # many modules of NixOS have an openFirewall, and some default to true
        assertion = lib.subtractLists cfg.everywhere open.allowedTCPPorts == [ ] && open.allowedTCPPortRanges == [ ];
        message = "something opens a TCP port on every interface (${toString open.allowedTCPPorts}): name it in homelab.firewall.everywhere, or set its openFirewall to false";
      }
    ];
  };
}
