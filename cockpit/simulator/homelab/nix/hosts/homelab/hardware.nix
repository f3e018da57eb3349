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
  # cockpit keeps more generations than these in the store; the boot menu and /boot hold the newest
  boot.loader.systemd-boot.configurationLimit = 10;
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
