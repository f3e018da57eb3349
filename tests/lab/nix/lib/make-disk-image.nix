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
    inherit bootSize additionalSpace postVM;
    toplevel = config.system.build.toplevel;
  }
  ''
    mkdir $out
    echo "image of $toplevel" >$out/disk
  ''
