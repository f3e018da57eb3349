# The shipped flake through its own `outputs`, with the lab's stand-ins of nixpkgs, disko and sops-nix for inputs.
# Their options are those that the hosts set, with their types: a name that is not there and a wrong value are refused.
{
  # the top of a repository with a folder nix/
  tree ? ../..,
  # more for every host, as an operator would add it
  extra ? { },
  yamlToJson ? "false",
}:
let
  flake =
    path: inputs:
    let
      self = {
        outPath = toString path;
      }
      // (import (path + "/flake.nix")).outputs (inputs // { inherit self; });
    in
    self;
  nixpkgs = flake ../lab/nix { };
  self = {
    rev = "0123456789012345678901234567890123456789";
    outPath = toString (tree + "/nix");
  }
  // (import (tree + "/nix/flake.nix")).outputs {
    inherit self nixpkgs;
    disko = flake ../lab/nix/disko { };
    sops-nix = flake ../lab/nix/sops-nix { };
  };
  evaluated = builtins.mapAttrs (
    _: host:
    host.extendModules {
      modules = [
        (
          { lib, options, ... }:
          {
            config = lib.optionalAttrs (options ? cockpit) { cockpit.yamlToJson = yamlToJson; };
          }
        )
        extra
      ];
    }
  ) self.nixosConfigurations;
  # modules, and what is made of the repository's source
  opaque = [
    "cockpit"
    "image"
    "nix"
    "system"
  ];
in
{
  # for nix-build
  inherit (evaluated.homelab.config.cockpit) release;
  inherit (evaluated.homelab.config.system.build) toplevel;
  image = evaluated.homelab.config.system.build.images.template;

  # plain data, forced whole
  hosts = builtins.mapAttrs (
    _: host:
    let
      inherit (host) config;
    in
    removeAttrs config opaque
    // {
      sops = removeAttrs config.sops [ "defaultSopsFile" ];
      cockpit = if config ? cockpit then { inherit (config.cockpit) enable commit host user; } else null;
      nix = removeAttrs config.nix [ "registry" ] // {
        registry = builtins.mapAttrs (_: entry: entry.flake.outPath) config.nix.registry;
      };
      system = { inherit (config.system) configurationRevision stateVersion; };
      # made with everything that the image adds; nothing is made of a host that refuses itself
      images =
        if builtins.all (found: found.assertion) config.assertions then
          builtins.mapAttrs (_: image: {
            inherit (image) name;
            path = "${image}";
          }) config.system.build.images
        else
          { };
    }
  ) evaluated;

  outputs = {
    modules = builtins.attrNames self.nixosModules;
    packages = builtins.attrNames self.packages.x86_64-linux;
    program = self.packages.x86_64-linux.cockpit or { };
    apps = self.apps.x86_64-linux;
    shell = map (package: package.name) self.devShells.x86_64-linux.default.packages;
    formatter = self.formatter.x86_64-linux.name;
  };
}
