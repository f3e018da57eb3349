# What this needs: OpenTofu (state encryption is not Terraform's), and exactly this release of the provider.
#
# 3.0.2-rc09 is pinned because `main.tf` is written around what it does: another release may plan changes that are none, or
# reboot guests (docs/provisioning.md). `.terraform.lock.hcl` pins its checksums; `tofu init` writes it, then commit it.

terraform {
  required_version = ">= 1.10.0"

  required_providers {
    proxmox = {
      source  = "telmate/proxmox"
      version = "3.0.2-rc09"
    }
  }

  # Beside this file, encrypted, not in git. docs/provisioning.md says how to move it to a bucket.
  backend "local" {
    path = "terraform.tfstate"
  }

  # Nothing is ever written in plain: without the passphrase, or with state that is not encrypted, tofu stops.
  encryption {
    key_provider "pbkdf2" "passphrase" {
      passphrase = var.state_passphrase
    }

    method "aes_gcm" "homelab" {
      keys = key_provider.pbkdf2.passphrase
    }

    state {
      method   = method.aes_gcm.homelab
      enforced = true
    }

    plan {
      method   = method.aes_gcm.homelab
      enforced = true
    }
  }
}

provider "proxmox" {
  pm_api_url          = var.proxmox_url
  pm_api_token_id     = var.pm_api_token_id
  pm_api_token_secret = var.pm_api_token_secret
  pm_tls_insecure     = var.proxmox_tls_insecure

  # Its list of rights is that of one release of Proxmox VE. A right that is missing is told by Proxmox itself, by name.
  pm_minimum_permission_check = false
}
