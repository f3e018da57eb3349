# Stand-in for nixpkgs' options of an image's file.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.image = {
    baseName = mkOption { type = types.str; };
    extension = mkOption { type = types.str; };
    fileName = mkOption {
      type = types.str;
      default = "${config.image.baseName}.${config.image.extension}";
    };
  };
}
