# One level deep: disks with a partition table, file systems on the partitions.
{
  config,
  lib,
  pkgs,
  ...
}:
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
  partition = types.submodule {
    options = {
      size = mkOption { type = types.str; };
      type = option types.str "8300";
      content = mkOption { type = fileSystem; };
    };
  };
  disk = types.submodule (
    { name, ... }:
    {
      options = {
        type = mkOption { type = types.enum [ "disk" ]; };
        device = mkOption { type = types.path; };
        imageName = option types.str name;
        imageSize = option types.str "2G";
        content = {
          type = mkOption { type = types.enum [ "gpt" ]; };
          partitions = option (types.attrsOf partition) { };
        };
      };
    }
  );
  disks = config.disko.devices.disk;
in
{
  options.disko = {
    devices.disk = option (types.attrsOf disk) { };
    imageBuilder.imageFormat = option (types.enum [
      "raw"
      "qcow2"
    ]) "raw";
  };

  config = {
    fileSystems = builtins.listToAttrs (
      builtins.concatLists (
        lib.mapAttrsToList (
          name: d:
          lib.mapAttrsToList (
            part: p:
            lib.nameValuePair p.content.mountpoint {
              device = "/dev/disk/by-partlabel/disk-${name}-${part}";
              fsType = p.content.format;
              options = p.content.mountOptions;
            }
          ) d.content.partitions
        ) disks
      )
    );
    system.build.diskoImages = pkgs.runCommand "${config.networking.hostName}-disko-images" { } (
      "mkdir $out\n"
      + lib.concatMapStrings (d: "echo image >$out/${d.imageName}.${config.disko.imageBuilder.imageFormat}\n") (
        lib.attrValues disks
      )
    );
  };
}
