# The shipped flake with the real nixpkgs, disko and sops-nix: what scripts/nix_real.py asks for.
{
  # a copy of the repository
  tree,
  # folders nixpkgs, disko, sops-nix; overlay.nix where something of nixpkgs has to be replaced
  real,
}:
let
  flake =
    path: inputs:
    let
      self = {
        outPath = toString path;
        rev = "0000000000000000000000000000000000000000";
        shortRev = "0000000";
        lastModified = 1;
        lastModifiedDate = "19700101000001";
        narHash = "";
      }
      // (import (path + "/flake.nix")).outputs (inputs // { inherit self; });
    in
    self;
  overlays = if builtins.pathExists (real + "/overlay.nix") then [ (import (real + "/overlay.nix")) ] else [ ];
  upstream = flake (real + "/nixpkgs") { };
  nixpkgs = upstream // {
    legacyPackages.x86_64-linux = import (real + "/nixpkgs") {
      system = "x86_64-linux";
      inherit overlays;
    };
    lib = upstream.lib.extend (
      _: old: {
        nixosSystem = args: old.nixosSystem (args // { modules = args.modules ++ [ { nixpkgs = { inherit overlays; }; } ]; });
      }
    );
  };
  self = {
    rev = "0123456789012345678901234567890123456789";
    outPath = toString (tree + "/nix");
  }
  // (import (tree + "/nix/flake.nix")).outputs {
    inherit self nixpkgs;
    disko = flake (real + "/disko") { inherit nixpkgs; };
    sops-nix = flake (real + "/sops-nix") { inherit nixpkgs; };
  };
  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomelabExampleKeyThatOpensNothingAtAll ada@laptop";
  # filled in, and with everything on
  whole = {
    homelab.access.admin = [ key ];
    homelab.access.deploy = [ key ];
    homelab.backup.enable = true;
  };
  system = "x86_64-linux";
in
{
  hosts = builtins.mapAttrs (
    _: host:
    let
      inherit (host.extendModules { modules = [ whole ]; }) config;
      inherit (config.system.build.images) template;
    in
    {
      warnings = config.warnings;
      revision = config.system.configurationRevision;
      toplevel = config.system.build.toplevel.drvPath;
      image = template.drvPath;
      imageFile = template.passthru.filePath;
      ssh = config.services.openssh.settings;
      tcp = config.networking.firewall.allowedTCPPorts;
      tailnet = config.networking.firewall.interfaces.tailscale0.allowedTCPPorts;
      trusted = config.networking.firewall.trustedInterfaces;
      daemon = config.virtualisation.docker.daemon.settings;
      secrets = builtins.mapAttrs (_: secret: secret.path) config.sops.secrets;
      backup = config.systemd.services.restic-backups-volumes.environment.RESTIC_REPOSITORY_FILE;
      root = config.fileSystems."/".device;
    }
  ) self.nixosConfigurations;
  program = self.packages.${system}.cockpit.drvPath;
  shell = self.devShells.${system}.default.drvPath;
  formatter = self.formatter.${system}.drvPath;
}
