# The hosts of this homelab, the modules that they share, and the tools to work on it.
# By hand: nixos-rebuild switch --flake "git+file://$PWD?dir=nix#homelab"; cockpit.yaml addresses a host as nix#HOST.
{
  description = "Reference homelab, deployed by cockpit";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # the disk's layout: formats a new disk, makes the image, mounts it
    disko.url = "github:nix-community/disko/v1.13.0";
    disko.inputs.nixpkgs.follows = "nixpkgs";
    # the host's own secrets; those of containers come from cockpit
    sops-nix.url = "github:Mic92/sops-nix";
    sops-nix.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      disko,
      sops-nix,
    }:
    let
      inherit (nixpkgs) lib;
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};

      # a folder in hosts/ is a host
      names = builtins.attrNames (lib.filterAttrs (_: kind: kind == "directory") (builtins.readDir ./hosts));

      host =
        name:
        lib.nixosSystem {
          modules = [
            self.nixosModules.default
            disko.nixosModules.disko
            (./hosts + "/${name}")
            {
              # which commit runs there; the release carries it too
              system.configurationRevision = self.rev or self.dirtyRev or null;
              # `nix run nixpkgs#...` on the host takes what the host is made of, not what is newest
              nix.registry.nixpkgs.flake = nixpkgs;
              nix.nixPath = [ "nixpkgs=flake:nixpkgs" ];
            }
          ];
        };

      # A homelab made by `cockpit init` has this folder and not the program's source.
      program = lib.optionalAttrs (builtins.pathExists ../pyproject.toml) rec {
        cockpit = pkgs.callPackage ./packages/cockpit.nix { source = ../.; };
        default = cockpit;
      };
    in
    {
      nixosConfigurations = lib.genAttrs names host;

      nixosModules = {
        base = ./modules/base.nix;
        ssh = ./modules/ssh.nix;
        firewall = ./modules/firewall.nix;
        docker = ./modules/docker.nix;
        tailscale = ./modules/tailscale.nix;
        secrets.imports = [
          sops-nix.nixosModules.sops
          ./modules/secrets.nix
        ];
        backup = ./modules/backup.nix;
        image = ./modules/image.nix;
        cockpit = ./modules/cockpit.nix;
        default.imports = builtins.attrValues (removeAttrs self.nixosModules [ "default" ]);
      };

      packages.${system} =
        program
        # nix build ./nix#image-homelab
        // lib.mapAttrs' (
          name: host: lib.nameValuePair "image-${name}" host.config.system.build.images.template
        ) self.nixosConfigurations;

      apps.${system} = lib.mapAttrs (_: package: {
        type = "app";
        program = lib.getExe package;
        meta.description = package.meta.description;
      }) program;

      devShells.${system}.default = pkgs.callPackage ./packages/shell.nix { };

      formatter.${system} = pkgs.nixfmt-tree;
    };
}
