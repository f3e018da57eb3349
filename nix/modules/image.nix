# The image that guests are cloned from: system.build.images.template, a qcow2 with the layout of the host's disk.nix.
#
#   nix build ./nix#nixosConfigurations.homelab.config.system.build.images.template      # or ./nix#image-homelab
#   result/homelab.qcow2
#
# Not one of nixpkgs' own variants: `proxmox` is a VMA for `qmrestore`, which needs a shell on the node and gives cloud-init the host's
# name; `qemu-efi` has the right format, but a /boot of 256 MB that ten generations do not fit into, and mounts by other names than
# disk.nix. So their builder is called here with a /boot of 1 GB, and the partitions get the names that disko gives them: a clone and
# an installed host are mounted alike. (disko's own builder does not work with every nixpkgs: its issue 1298.)
# It is made in a virtual machine: the machine that builds it needs KVM, or patience.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib) mkOption types;
in
{
  options.homelab.firstBoot = mkOption {
    type = types.bool;
    default = false;
    description = ''
      A host that has no secrets yet, because nothing could be encrypted for a key that it makes when it first boots: SSH is open on
      every interface, by key as always, cockpit and backups are off. The image is such a host, and the first deploy ends it.
    '';
  };

  config = lib.mkMerge [
    (lib.mkIf config.homelab.firstBoot (
      {
        homelab.firewall.everywhere = config.services.openssh.ports;
        homelab.secrets.file = lib.mkForce null;
        homelab.backup.enable = lib.mkForce false;
      }
      // lib.optionalAttrs (options ? cockpit) {
        cockpit.enable = lib.mkForce false;
      }
    ))
    {
      image.modules.template =
        {
          config,
          lib,
          modulesPath,
          pkgs,
          ...
        }:
        let
          inherit (config.disko.devices.disk.main.content) partitions;
        in
        {
          imports = [ (modulesPath + "/image/file-options.nix") ];
          homelab.firstBoot = true;
          image.baseName = config.networking.hostName;
          image.extension = "qcow2";
          system.build.image = import (modulesPath + "/../lib/make-disk-image.nix") {
            inherit config lib pkgs;
            name = "${config.networking.hostName}-image";
            partitionTableType = "efi";
            bootSize = partitions.ESP.size;
            # for what a first boot writes; a clone's disk is larger, and the root grows into it
            additionalSpace = "1G";
            copyChannel = false;
            format = "raw";
            postVM = ''
              ${pkgs.gptfdisk}/bin/sgdisk --change-name=1:${partitions.ESP.label} --change-name=2:${partitions.root.label} $diskImage
              ${pkgs.qemu-utils}/bin/qemu-img convert -f raw -O qcow2 $diskImage $out/${config.image.fileName}
              rm -r $diskImage $out/nix-support
            '';
          };
        };
    }
  ];
}
