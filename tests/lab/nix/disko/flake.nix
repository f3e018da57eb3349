# Stand-in for disko: its options with their types, and what is mounted.
{
  outputs =
    { self, ... }:
    {
      nixosModules.disko = ./module.nix;
    };
}
