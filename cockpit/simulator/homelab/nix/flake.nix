# The hosts. Addressed as nix#HOST in cockpit.yaml; by hand: nixos-rebuild switch --flake "git+file://$PWD?dir=nix#homelab".
{
  description = "Reference homelab, deployed by cockpit";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    {
      nixosModules.cockpit = ./modules/cockpit.nix;

      nixosConfigurations.homelab = nixpkgs.lib.nixosSystem {
        modules = [
          self.nixosModules.cockpit
          ./hosts/homelab
          { system.configurationRevision = self.rev or self.dirtyRev or null; }
        ];
      };
    };
}
