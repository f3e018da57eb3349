# Stand-in for disko: its options with their types, what is mounted, and an image that is a file with text in it.
{
  outputs =
    { self, ... }:
    {
      nixosModules.disko = ./module.nix;
    };
}
