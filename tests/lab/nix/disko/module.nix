# One level deep: disks with a partition table, file systems on the partitions.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type default;
    };
  optional = type: option (types.nullOr type) null;
  fileSystem = types.submodule {
    options = {
      type = mkOption { type = types.enum [ "filesystem" ]; };
      format = mkOption { type = types.str; };
      mountpoint = optional types.path;
      mountOptions = option (types.listOf types.str) [ "defaults" ];
    };
  };
  partition =
    disk:
    types.submodule (
      { name, ... }:
      {
        options = {
          size = mkOption { type = types.str; };
          type = option types.str "8300";
          label = option types.str "disk-${disk}-${name}";
          content = mkOption { type = fileSystem; };
        };
      }
    );
  disk = types.submodule (
    { name, ... }:
    {
      options = {
        type = mkOption { type = types.enum [ "disk" ]; };
        device = mkOption { type = types.path; };
        content = {
          type = mkOption { type = types.enum [ "gpt" ]; };
          partitions = option (types.attrsOf (partition name)) { };
        };
      };
    }
  );
  disks = config.disko.devices.disk;
in
{
  options.disko.devices.disk = option (types.attrsOf disk) { };

  config.fileSystems = builtins.listToAttrs (
    builtins.concatLists (
      lib.mapAttrsToList (
        _: d:
        lib.mapAttrsToList (
          _: p:
          lib.nameValuePair p.content.mountpoint {
            device = "/dev/disk/by-partlabel/${p.label}";
            fsType = p.content.format;
            options = p.content.mountOptions;
          }
        ) d.content.partitions
      ) config.disko.devices.disk
    )
  );
}
