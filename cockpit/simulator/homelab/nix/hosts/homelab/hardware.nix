# A guest of Proxmox with UEFI. On other hardware: nixos-generate-config --show-hardware-config, and keep the labels.
{
  boot.initrd.availableKernelModules = [
    "virtio_pci"
    "virtio_scsi"
    "virtio_blk"
    "sd_mod"
    "sr_mod"
  ];
  boot.loader.systemd-boot.enable = true;
  # more than `keep:` in cockpit.yaml and what is kept beside: the loader cannot be told to boot what is not in its menu, so a
  # rollback to it would fail
  boot.loader.systemd-boot.configurationLimit = 20;
  boot.loader.efi.canTouchEfiVariables = true;

  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/BOOT";
    fsType = "vfat";
    options = [ "umask=0077" ];
  };

  services.qemuGuest.enable = true;
  nixpkgs.hostPlatform = "x86_64-linux";
}
