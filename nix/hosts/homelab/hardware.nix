# A guest of Proxmox: UEFI without secure boot, virtio-scsi, the guest agent, an address by cloud-init.
# On other hardware: nixos-generate-config --show-hardware-config --no-filesystems
{
  nixpkgs.hostPlatform = "x86_64-linux";
  boot.initrd.availableKernelModules = [
    "virtio_pci"
    "virtio_scsi"
    "virtio_blk"
    "sd_mod"
    "sr_mod"
  ];

  # the disk may be made larger at any time; the next boot takes it
  boot.growPartition = true;
  fileSystems."/".autoResize = true;

  # a clone has no boot entries in its firmware: that finds /boot/EFI/BOOT by itself
  boot.loader.efi.canTouchEfiVariables = false;

  # a console in the web interface, and by `qm terminal`
  boot.kernelParams = [
    "console=tty0"
    "console=ttyS0"
  ];

  # addresses in `tofu plan`, a clean shutdown, quiet disks during a backup of the guest
  services.qemuGuest.enable = true;

  # What tofu writes into `ipconfig0`, or DHCP. Names, users, keys and passwords on that drive are not taken:
  # they are in this repository, and whoever can change a guest's drive is not asked about its users.
  networking.useNetworkd = true;
  services.cloud-init = {
    enable = true;
    network.enable = true;
    settings = {
      datasource_list = [
        "NoCloud"
        "ConfigDrive"
      ];
      users = [ ];
      disable_root = true;
      preserve_hostname = true;
      cloud_init_modules = [ "seed_random" ];
      cloud_config_modules = [ ];
      cloud_final_modules = [ ];
    };
  };
}
