# Stand-in for sops-nix: its options with their types. Nothing is decrypted.
{
  outputs =
    { self, ... }:
    {
      nixosModules.sops = ./module.nix;
    };
}
