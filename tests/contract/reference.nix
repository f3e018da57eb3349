# The reference host, evaluated with the lab's stand-in of the module system: config of hosts/homelab.
# What the stand-in lacks of the options that the host uses is declared here, so that a wrong name is refused.
{ yamlToJson }:
let
  lib = import ../lab/nix/lib.nix;
  inherit (lib) types;
  option =
    type: default:
    lib.mkOption {
      inherit type default;
    };
  missing = {
    options = {
      assertions = option (types.listOf (
        types.submodule {
          options = {
            assertion = option types.bool false;
            message = option types.str "";
          };
        }
      )) [ ];
      fileSystems = option (types.attrsOf (
        types.submodule {
          options = {
            device = option types.str "";
            fsType = option types.str "";
            options = option (types.listOf types.str) [ ];
          };
        }
      )) { };
      networking.firewall = {
        enable = option types.bool true;
        interfaces = option (types.attrsOf (
          types.submodule { options.allowedTCPPorts = option (types.listOf types.port) [ ]; }
        )) { };
      };
      nixpkgs.hostPlatform = option types.str "";
      security.sudo.wheelNeedsPassword = option types.bool true;
      system.stateVersion = option types.str "";
      time.timeZone = option types.str "UTC";
      users.mutableUsers = option types.bool true;
      zramSwap.enable = option types.bool false;
    };
  };
  evaluated = import ../lab/nix/nixos.nix {
    modules = [
      ../../nix/modules/cockpit.nix
      ../../nix/hosts/homelab
      missing
      {
        system.configurationRevision = "0123456789012345678901234567890123456789";
        cockpit.yamlToJson = yamlToJson;
      }
    ];
  };
in
{
  inherit (evaluated.config.cockpit) release;
  inherit (evaluated.config.system.build) toplevel;
  # plain data of the host, forced whole
  host = {
    inherit (evaluated.config)
      assertions
      boot
      fileSystems
      networking
      nix
      nixpkgs
      services
      time
      virtualisation
      zramSwap
      ;
    inherit (evaluated.config.security.sudo) wheelNeedsPassword;
    inherit (evaluated.config.system) stateVersion;
    inherit (evaluated.config.users) mutableUsers;
    keys = lib.mapAttrs (_: u: u.openssh.authorizedKeys.keys) evaluated.config.users.users;
    units = lib.attrNames evaluated.config.systemd.services;
  };
}
