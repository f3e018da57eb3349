# The guests: one for each entry of `hosts`, cloned from the template that `cockpit image upload` made.
#
# The two resources differ in their lifecycle only; a lifecycle cannot depend on `each`, and where the entry is gone from the map,
# the block is what still protects its guest. A test compares them, so change both.

locals {
  stateful  = { for name, host in var.hosts : name => host if host.stateful }
  stateless = { for name, host in var.hosts : name => host if !host.stateful }

  # 3.0.2-rc08 and rc09 do the opposite of what it says (Telmate/terraform-provider-proxmox#1526): true refuses a change that
  # needs a reboot, false reboots. To be turned around together with the version in versions.tf.
  automatic_reboot = !var.reboot_for_changes
}

# Guests with data of their own: tofu refuses to delete them.
resource "proxmox_vm_qemu" "stateful" {
  for_each = local.stateful

  name        = each.key
  vmid        = each.value.vmid
  target_node = coalesce(each.value.node, var.node)
  description = each.value.description
  tags        = length(each.value.tags) > 0 ? join(";", sort(distinct(each.value.tags))) : null

  clone      = coalesce(each.value.template, var.template)
  full_clone = true

  power_state            = "running"
  start_at_node_boot     = each.value.start
  automatic_reboot       = local.automatic_reboot
  agent                  = 1
  define_connection_info = false

  bios   = "ovmf"
  memory = each.value.memory
  scsihw = "virtio-scsi-single"

  ciuser    = each.value.user
  sshkeys   = length(each.value.ssh_keys) > 0 ? join("\n", each.value.ssh_keys) : null
  ipconfig0 = each.value.ip

  cpu {
    cores = each.value.cores
    type  = each.value.cpu
  }

  efidisk {
    storage           = coalesce(each.value.storage, var.storage)
    efitype           = "4m"
    pre_enrolled_keys = false
  }

  disk {
    slot    = "ide2"
    type    = "cloudinit"
    storage = coalesce(each.value.storage, var.storage)
  }

  disk {
    slot    = "scsi0"
    type    = "disk"
    storage = coalesce(each.value.storage, var.storage)
    size    = each.value.disk
    format  = "raw"
  }

  dynamic "disk" {
    for_each = each.value.data_disks

    content {
      slot    = disk.key
      type    = "disk"
      storage = coalesce(each.value.storage, var.storage)
      size    = disk.value
      format  = "raw"
    }
  }

  network {
    id      = 0
    model   = "virtio"
    bridge  = coalesce(each.value.bridge, var.bridge)
    tag     = each.value.vlan
    macaddr = each.value.mac
  }

  serial {
    id   = 0
    type = "socket"
  }

  # What Proxmox itself answers where nothing was said. Without it the second plan is not empty.
  startup_shutdown {
    order            = -1
    startup_delay    = -1
    shutdown_timeout = -1
  }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [clone, full_clone] # a newer template is for new guests
  }
}

# Guests that can be made again.
resource "proxmox_vm_qemu" "stateless" {
  for_each = local.stateless

  name        = each.key
  vmid        = each.value.vmid
  target_node = coalesce(each.value.node, var.node)
  description = each.value.description
  tags        = length(each.value.tags) > 0 ? join(";", sort(distinct(each.value.tags))) : null

  clone      = coalesce(each.value.template, var.template)
  full_clone = true

  power_state            = "running"
  start_at_node_boot     = each.value.start
  automatic_reboot       = local.automatic_reboot
  agent                  = 1
  define_connection_info = false

  bios   = "ovmf"
  memory = each.value.memory
  scsihw = "virtio-scsi-single"

  ciuser    = each.value.user
  sshkeys   = length(each.value.ssh_keys) > 0 ? join("\n", each.value.ssh_keys) : null
  ipconfig0 = each.value.ip

  cpu {
    cores = each.value.cores
    type  = each.value.cpu
  }

  efidisk {
    storage           = coalesce(each.value.storage, var.storage)
    efitype           = "4m"
    pre_enrolled_keys = false
  }

  disk {
    slot    = "ide2"
    type    = "cloudinit"
    storage = coalesce(each.value.storage, var.storage)
  }

  disk {
    slot    = "scsi0"
    type    = "disk"
    storage = coalesce(each.value.storage, var.storage)
    size    = each.value.disk
    format  = "raw"
  }

  dynamic "disk" {
    for_each = each.value.data_disks

    content {
      slot    = disk.key
      type    = "disk"
      storage = coalesce(each.value.storage, var.storage)
      size    = disk.value
      format  = "raw"
    }
  }

  network {
    id      = 0
    model   = "virtio"
    bridge  = coalesce(each.value.bridge, var.bridge)
    tag     = each.value.vlan
    macaddr = each.value.mac
  }

  serial {
    id   = 0
    type = "socket"
  }

  # What Proxmox itself answers where nothing was said. Without it the second plan is not empty.
  startup_shutdown {
    order            = -1
    startup_delay    = -1
    shutdown_timeout = -1
  }

  lifecycle {
    ignore_changes = [clone, full_clone] # a newer template is for new guests
  }
}
