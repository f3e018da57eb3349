output "guests" {
  description = "Every guest: where it is, and its address as the guest agent tells it."
  value = {
    for name, guest in merge(proxmox_vm_qemu.stateful, proxmox_vm_qemu.stateless) : name => {
      vmid    = guest.vmid
      node    = guest.target_node
      address = guest.default_ipv4_address
    }
  }
}
