# What flake.nix takes of nixpkgs beside what hosts are made of: names, for its packages, apps and development shell.
# A name is here because nixpkgs has it; what is not here cannot be asked for.
let
  hosts = import ./pkgs.nix;
  named = name: {
    type = "derivation";
    inherit name;
    pname = name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
  some = names: hosts.lib.genAttrs names named;
  # what a package is made with stays legible
  make = args: named (args.pname or args.name) // args;

  pkgs =
    hosts
    // some [
      "actionlint"
      "age"
      "autoPatchelfHook"
      "docker-client"
      "gnumake"
      "nixfmt-tree"
      "nixos-rebuild-ng"
      "opentofu"
      "python3"
      "shellcheck"
      "tailscale"
      "uv"
      "zizmor"
    ]
    // {
      lib = hosts.lib // {
        licenses.mit = "MIT";
        fileset = {
          maybeMissing = path: if builtins.pathExists path then [ path ] else [ ];
          unions = builtins.concatLists;
          difference = whole: without: { inherit whole without; };
          toSource = { root, fileset }: { inherit root fileset; };
        };
      };
      stdenv = hosts.stdenv // {
        cc.cc.lib = named "gcc-lib";
      };
      fetchPypi = args: args;
      mkShellNoCC = make;
      python3Packages =
        some [
          "asyncssh"
          "bcrypt"
          "cryptography"
          "docker"
          "hatchling"
          "msgspec"
          "proxmoxer"
          "pygments"
          "requests"
          "ruamel-yaml"
          "textual"
        ]
        // {
          buildPythonApplication = make;
          buildPythonPackage = make;
        };
      callPackage =
        path: given:
        let
          f = import path;
        in
        f (builtins.mapAttrs (n: _: given.${n} or pkgs.${n} or (throw "nixpkgs has no `${n}'")) (builtins.functionArgs f));
    };
in
pkgs
