# Stand-in for nixpkgs' builder of disk images: the same arguments, and a file with text in it for a disk.
{
  config,
  lib,
  pkgs,
  name,
  partitionTableType,
  bootSize,
  additionalSpace,
  copyChannel,
  format,
  postVM,
}:
assert builtins.elem partitionTableType [ "efi" ];
assert builtins.elem format [
  "raw"
  "qcow2"
];
pkgs.runCommand name
  {
    inherit bootSize additionalSpace;
    toplevel = config.system.build.toplevel;
  }
  ''
    mkdir -p $out/nix-support
    diskImage=$out/nixos.img
    printf '%s\n' "$toplevel" "/boot $bootSize" >$diskImage
    ${postVM}
  ''
