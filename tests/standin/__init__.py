"""What stands in for a Proxmox cluster and for the Telmate provider, so that the real OpenTofu can run on the real `tofu/`.

    with serving(folder) as pve, Tofu(repository / "tofu", pve, folder, identity=key) as tofu:
        tofu.init()
        assert tofu.plan().changes
        tofu.apply()
        assert pve.guest("homelab").status == "running"

- `Tofu`, of `tests.standin.run`: the real program (scripts/tofu.py builds it), run through the homelab's own `tofu/with-secrets`,
  with the credentials of the homelab's own `secrets/operator/tofu.yaml`, whose token is admitted to the cluster. The homelab's
  files are used as they are; state, plans and locks are in `folder`.
- `serving`, of `tests.standin.cluster`: a cluster of fakepve with a template to clone; what it lacks for this is added there.
- `provider`: under the name telmate/proxmox, with the schema that was recorded from 3.0.2-rc09 (`schema.json`). It makes guests
  through the Proxmox API. What it cannot prove is how the real provider behaves: docs/provisioning.md says what was seen of that.
"""
