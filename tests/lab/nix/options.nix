# The options of NixOS that the shipped hosts set, each with its type: what is misspelt does not exist, and a wrong value is refused.
# None of them does anything to a lab host, except for those that nixos.nix has.
{
  config,
  lib,
  extendModules,
  ...
}:
let
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type default;
    };
  on = option types.bool true;
  off = option types.bool false;
  text = option types.str "";
  file = option (types.nullOr types.path) null;
  words = option (types.listOf types.str) [ ];
  ports = option (types.listOf types.port) [ ];
  each = submodule: option (types.attrsOf (types.submodule { options = submodule; })) { };
  scalar = types.oneOf [
    types.bool
    types.int
    types.str
  ];
  opened = {
    allowedTCPPorts = ports;
    allowedUDPPorts = ports;
    allowedTCPPortRanges = option (types.listOf types.attrs) [ ];
  };
in
{
  options = {
    assertions = option (types.listOf (
      types.submodule {
        options = {
          assertion = mkOption { type = types.bool; };
          message = mkOption { type = types.str; };
        };
      }
    )) [ ];

    boot = {
      growPartition = off;
      initrd.availableKernelModules = words;
      kernel.sysctl = option (types.attrsOf scalar) { };
      kernelParams = words;
      loader.efi.canTouchEfiVariables = off;
      loader.systemd-boot = {
        enable = off;
        configurationLimit = option (types.nullOr types.int) null;
        editor = on;
      };
      tmp.cleanOnBoot = off;
    };

    fileSystems = each {
      device = option (types.nullOr types.str) null;
      fsType = option types.str "auto";
      options = option (types.listOf types.str) [ "defaults" ];
      autoResize = off;
    };

    image.modules = option (types.attrsOf types.deferredModule) { };

    networking = {
      useNetworkd = off;
      firewall = {
        enable = on;
        interfaces = each opened;
      }
      // opened;
    };

    nix = {
      channel.enable = on;
      gc = {
        automatic = off;
        dates = option types.singleLineStr "03:15";
        options = option types.singleLineStr "";
      };
      nixPath = words;
      optimise.automatic = off;
      registry = each { flake = option (types.nullOr types.attrs) null; };
      settings = {
        experimental-features = words;
        flake-registry = text;
      };
    };
    nixpkgs.hostPlatform = mkOption { type = types.str; };

    security.sudo.wheelNeedsPassword = on;

    services = {
      cloud-init = {
        enable = off;
        network.enable = off;
        settings = {
          datasource_list = words;
          users = words;
          disable_root = off;
          preserve_hostname = off;
          cloud_init_modules = words;
          cloud_config_modules = words;
          cloud_final_modules = words;
        };
      };
      journald = {
        rateLimitBurst = option types.int 10000;
        extraConfig = option types.lines "";
      };
      openssh = {
        enable = off;
        ports = option (types.listOf types.port) [ 22 ];
        openFirewall = on;
        authorizedKeysInHomedir = on;
        hostKeys = option (types.listOf (
          types.submodule {
            options = {
              path = mkOption { type = types.path; };
              type = mkOption {
                type = types.enum [
                  "ed25519"
                  "rsa"
                ];
              };
            };
          }
        )) [ ];
        settings = {
          AllowAgentForwarding = on;
          AllowTcpForwarding = option (types.enum [
            "yes"
            "no"
            "local"
            "remote"
            "all"
          ]) "yes";
          AllowUsers = option (types.nullOr (types.listOf types.str)) null;
          AuthenticationMethods = option types.str "any";
          KbdInteractiveAuthentication = on;
          MaxAuthTries = option types.int 6;
          PasswordAuthentication = on;
          PermitRootLogin = option (types.enum [
            "yes"
            "no"
            "prohibit-password"
            "forced-commands-only"
          ]) "prohibit-password";
          X11Forwarding = off;
        };
      };
      qemuGuest.enable = off;
      restic.backups = each {
        initialize = off;
        paths = words;
        passwordFile = option (types.nullOr types.str) null;
        repositoryFile = file;
        environmentFile = option (types.nullOr types.str) null;
        backupPrepareCommand = option (types.nullOr types.str) null;
        backupCleanupCommand = option (types.nullOr types.str) null;
        pruneOpts = words;
        checkOpts = words;
        timerConfig = {
          OnCalendar = option types.str "daily";
          RandomizedDelaySec = text;
          Persistent = off;
        };
      };
      tailscale = {
        enable = off;
        openFirewall = off;
        authKeyFile = file;
        extraUpFlags = words;
        extraSetFlags = words;
      };
    };

    system = {
      stateVersion = mkOption { type = types.str; };
    };
    time.timeZone = option (types.nullOr types.str) null;
    users.mutableUsers = on;

    virtualisation.docker = {
      enable = off;
      logDriver = option (types.enum [
        "none"
        "json-file"
        "journald"
        "local"
      ]) "journald";
      autoPrune.enable = off;
      daemon.settings = {
        live-restore = off;
        ip = option types.str "0.0.0.0";
        default-network-opts = option (types.attrsOf (types.attrsOf types.str)) { };
      };
    };

    zramSwap.enable = off;
  };

  config.system.build.images = lib.mapAttrs (
    _: module: (extendModules { modules = [ module ]; }).config.system.build.image
  ) config.image.modules;
}
