# The disk, for disko: what formats it and what is mounted are the same lines. The image has the same layout (../../modules/image.nix).
# On other hardware only `device` differs: ls -l /dev/disk/by-id
{
  disko.devices.disk.main = {
    type = "disk";
    # scsi0 of the guest, whatever the kernel calls it today
    device = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0";
    content = {
      type = "gpt";
      partitions = {
        ESP = {
          # kernels and initial ramdisks of twenty generations; those that share a kernel share its file
          size = "1G";
          type = "EF00";
          content = {
            type = "filesystem";
            format = "vfat";
            mountpoint = "/boot";
            # the boot loader's random seed is not for everyone
            mountOptions = [ "umask=0077" ];
          };
        };
        root = {
          # the last one: only that can grow
          size = "100%";
          content = {
            type = "filesystem";
            format = "ext4";
            mountpoint = "/";
          };
        };
      };
    };
  };
}
