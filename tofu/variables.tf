# Secrets come from secrets/operator/tofu.yaml, through `tofu/with-secrets`. The rest is in homelab.auto.tfvars.json.

variable "pm_api_token_id" {
  description = "API token of Proxmox VE: USER@REALM!NAME."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[^@!]+@[^@!]+![^@!]+$", var.pm_api_token_id))
    error_message = "The token's id is USER@REALM!NAME, e.g. tofu@pve!homelab. Is secrets/operator/tofu.yaml filled in?"
  }
}

variable "pm_api_token_secret" {
  description = "The token's secret, a UUID that Proxmox VE shows once."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.pm_api_token_secret))
    error_message = "The token's secret is a UUID, shown once when the token is made. Is secrets/operator/tofu.yaml filled in?"
  }
}

variable "state_passphrase" {
  description = "Encrypts state and plans. Who loses it has lost the state."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.state_passphrase) >= 16
    error_message = "The passphrase of the state has 16 characters at least."
  }
}

variable "proxmox_url" {
  description = "The API of one node of the cluster."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+/api2/json$", var.proxmox_url))
    error_message = "proxmox_url is https://NODE:8006/api2/json."
  }
}

variable "proxmox_tls_insecure" {
  description = "Take any certificate. Better: put the cluster's authority into tofu/pve-root-ca.pem (docs/provisioning.md)."
  type        = bool
  default     = false
}

variable "node" {
  description = "The node that guests are made on, where they name none."
  type        = string
}

variable "storage" {
  description = "The storage of disks, where a guest names none. The template's disks lie there too."
  type        = string
}

variable "bridge" {
  description = "The bridge that guests are connected to, where they name none."
  type        = string
  default     = "vmbr0"
}

variable "template" {
  description = "The template that is cloned, where a guest names none: `cockpit image upload` makes one."
  type        = string
}

variable "reboot_for_changes" {
  description = "Whether an apply may reboot a guest whose change needs it. Without it such an apply fails, and says so."
  type        = bool
  default     = false
}

variable "hosts" {
  description = "The guests, by name."
  type = map(object({
    vmid        = number
    stateful    = optional(bool, true) # tofu refuses to delete it
    description = optional(string)
    tags        = optional(list(string), [])
    node        = optional(string)
    template    = optional(string)
    cores       = optional(number, 2)
    cpu         = optional(string, "host")
    memory      = optional(number, 4096) # MiB
    storage     = optional(string)
    disk        = optional(string, "32G")
    data_disks  = optional(map(string), {}) # slot = size, e.g. scsi1 = "200G"
    bridge      = optional(string)
    vlan        = optional(number)
    mac         = optional(string)
    start       = optional(bool, true) # with the node
    user        = optional(string)
    ssh_keys    = optional(list(string), [])
    ip          = optional(string, "ip=dhcp") # as cloud-init of Proxmox wants it: ip=192.0.2.10/24,gw=192.0.2.1
  }))

  validation {
    condition     = alltrue([for name in keys(var.hosts) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A host's name is a DNS label: lower-case letters, digits and hyphens, 63 at most."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : host.vmid >= 100 && host.vmid <= 999999999 && floor(host.vmid) == host.vmid])
    error_message = "A vmid is a whole number, 100 at least."
  }

  validation {
    condition     = length(distinct([for host in values(var.hosts) : host.vmid])) == length(var.hosts)
    error_message = "Two hosts have the same vmid."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : host.memory >= 512 && host.cores >= 1])
    error_message = "A host has one core and 512 MiB of memory at least."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : alltrue([for size in concat([host.disk], values(host.data_disks)) : can(regex("^[1-9][0-9]*[GT]$", size))])])
    error_message = "The size of a disk is a number with G or T: 32G. Disks grow; none can be made smaller."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : alltrue([for slot in keys(host.data_disks) : can(regex("^scsi([1-9]|[12][0-9]|30)$", slot))])])
    error_message = "A data disk is in one of the slots scsi1 to scsi30; scsi0 is the system's."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : alltrue([for tag in host.tags : can(regex("^[a-z0-9_][a-z0-9_.+-]*$", tag))])])
    error_message = "A tag has lower-case letters, digits and _ . + - only: Proxmox changes others, and every plan would show it."
  }

  validation {
    condition     = alltrue([for host in values(var.hosts) : alltrue([for key in host.ssh_keys : can(regex("^(ssh-|ecdsa-|sk-)", key))])])
    error_message = "ssh_keys are public keys as they stand in authorized_keys."
  }
}
