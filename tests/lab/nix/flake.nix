# Stand-in for nixpkgs as a flake, for the shipped flake.nix: lib.nixosSystem with typed options, and packages.
{
  outputs =
    { self }:
    {
      lib = import ./lib.nix // {
        nixosSystem = args: import ./nixos.nix ({ typed = true; } // args);
      };
      legacyPackages.x86_64-linux = import ./packages.nix;
    };
}
