# The image that guests are cloned from: system.build.images.template, a qcow2 with the layout of the host's disk.nix.
#
#   nix build ./nix#nixosConfigurations.homelab.config.system.build.images.template      # or ./nix#image-homelab
#   result/homelab.qcow2
#
# Not one of nixpkgs' own: `proxmox` is a VMA for `qmrestore`, which needs a shell on the node, takes the disk's layout from elsewhere
# and gives cloud-init the host's name; `qemu-efi` has the right format, and a /boot of 256 MB that ten generations do not fit into.
# disko makes it from the lines that also format and mount a disk, so that a clone and an installed host are the same.
# Made in a virtual machine: the machine that builds it needs KVM.
{ config, lib, ... }:
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
    (lib.mkIf config.homelab.firstBoot {
      homelab.firewall.everywhere = config.services.openssh.ports;
      homelab.secrets.file = lib.mkForce null;
      homelab.backup.enable = lib.mkForce false;
      cockpit.enable = lib.mkForce false;
    })
    {
      image.modules.template =
        { config, modulesPath, ... }:
        {
          imports = [ (modulesPath + "/image/file-options.nix") ];
          homelab.firstBoot = true;
          disko.devices.disk.main.imageName = config.networking.hostName;
          disko.imageBuilder.imageFormat = "qcow2";
          image.baseName = config.networking.hostName;
          image.extension = "qcow2";
          system.build.image = config.system.build.diskoImages;
        };
    }
  ];
}
