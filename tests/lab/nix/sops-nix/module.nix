# What the shipped modules use of it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type default;
    };
  paths = option (types.listOf types.path) [ ];
  cfg = config.sops;
in
{
  options.sops = {
    defaultSopsFile = mkOption { type = types.path; };
    age.sshKeyPaths = paths;
    gnupg.sshKeyPaths = paths;
    secrets = option (types.attrsOf (
      types.submodule (
        { name, ... }:
        {
          options = {
            key = option types.str name;
            path = option types.str "/run/secrets/${name}";
            sopsFile = option types.path cfg.defaultSopsFile;
            mode = option types.str "0400";
            owner = option (types.nullOr types.str) null;
            restartUnits = option (types.listOf types.str) [ ];
          };
        }
      )
    )) { };
  };
}
