# What runs on a host: secrets before docker, convergence of the compose projects, and the transaction.
# A host imports this module and sets `cockpit.root` to the top of the repository; everything else is in cockpit.yaml.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.cockpit;
  inherit (lib) mkOption mkIf types;

  build = {
    system = cfg.system;
    inherit (pkgs) bash;
    path = lib.concatMapStringsSep ":" (p: "${p}/bin") cfg.tools;
    inherit (cfg) yamlToJson;
  };
  release = import ../lib/release.nix {
    inherit build;
    inherit (cfg)
      root
      settings
      host
      commit
      projectRoots
      secretRoots
      ;
  };
  programs = import ../lib/programs.nix { inherit build; };
in
{
  options.cockpit = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether this host is deployed by cockpit.";
    };
    root = mkOption {
      type = types.path;
      description = "The top of the repository, e.g. `./..` from a flake in nix/.";
    };
    settings = mkOption {
      type = types.path;
      default = cfg.root + "/cockpit.yaml";
      description = "The repository's cockpit.yaml.";
    };
    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      description = "This host's key under `hosts:` of cockpit.yaml.";
    };
    commit = mkOption {
      type = types.nullOr types.str;
      default = config.system.configurationRevision;
      description = "The commit that the release carries.";
    };
    user = mkOption {
      type = types.str;
      default = "cockpit";
      description = "The deploy user. It may run cockpit-transaction as root and is a member of docker: equal to root.";
    };
    projectRoots = mkOption {
      type = types.listOf types.str;
      default = [ "compose" ];
      description = "Folders whose sub-folders are compose projects.";
    };
    secretRoots = mkOption {
      type = types.listOf types.str;
      default = [ "secrets" ];
      description = "Folders with files encrypted by sops.";
    };
    yamlToJson = mkOption {
      type = types.str;
      default = "${pkgs.yq-go}/bin/yq -o=json .";
      description = "Command that prints a YAML file, given as last argument, as JSON.";
    };
    system = mkOption {
      type = types.str;
      default = pkgs.stdenv.hostPlatform.system or "x86_64-linux";
      description = "Platform of the release's derivations.";
    };
    tools = mkOption {
      type = types.listOf types.anything;
      default = with pkgs; [
        coreutils
        util-linux
        findutils
        gnugrep
        gnused
        diffutils
        jq
        git
        sops
        docker
        docker-compose
        nix
        systemd
        curl
      ];
      description = "Packages that the host programs find their tools in.";
    };
    release = mkOption {
      type = types.anything;
      default = release;
      description = "The release's derivation (TOPLEVEL/cockpit).";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ programs ];
    system.systemBuilderCommands = ''
      ln -s ${cfg.release} $out/cockpit
    '';

    users.groups.${cfg.user} = { };
    users.users.${cfg.user} = {
      isNormalUser = true;
      group = cfg.user;
      extraGroups = [
        "docker"
        "systemd-journal"
      ];
    };
    security.sudo.extraRules = [
      {
        users = [ cfg.user ];
        commands = [
          {
            command = "/run/current-system/sw/bin/cockpit-transaction";
            options = [ "NOPASSWD" ];
          }
        ];
      }
    ];

    # A container whose secret is missing at start dies or, with a short-syntax bind, finds a directory: secrets come first.
    # Reloaded, never restarted or stopped: the stop would pass through `requires` to docker and take every container down.
    systemd.services.cockpit-secrets = {
      description = "Secrets and project directories of this release";
      requiredBy = [ "docker.service" ];
      before = [ "docker.service" ];
      after = [ "local-fs.target" ];
      reloadIfChanged = true;
      # also where the system that comes has no cockpit: a host that leaves it, or goes back to before its first contact
      unitConfig.X-StopOnRemoval = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${programs}/bin/cockpit-secrets ${cfg.release}";
        ExecReload = "${programs}/bin/cockpit-secrets ${cfg.release}";
        TimeoutStartSec = "120";
      };
    };

    systemd.services.cockpit-converge = {
      description = "Compose projects of this release";
      wantedBy = [ "multi-user.target" ];
      # at first contact docker runs already, and does not pull the secrets in
      wants = [
        "docker.service"
        "cockpit-secrets.service"
      ];
      after = [
        "docker.service"
        "cockpit-secrets.service"
      ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${programs}/bin/cockpit-converge ${cfg.release}";
        TimeoutStartSec = "900";
      };
    };

    # At boot and again and again: until no attempt is open. A timer, because OnFailure= of the transaction's transient unit would
    # keep its name taken after a failure; one more signal ends an ExecStopPost=, so that alone is not enough. And no target may
    # wait for it: the activation that it runs would wait for that target.
    systemd.timers.cockpit-recover = {
      description = "Look for an interrupted deploy";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnBootSec = "1s";
        OnUnitInactiveSec = "20s";
        AccuracySec = "1s";
      };
    };

    systemd.services.cockpit-recover = {
      description = "Finish or revert an interrupted deploy";
      wants = [ "docker.service" ];
      after = [ "docker.service" ];
      restartIfChanged = false;
      stopIfChanged = false;
      unitConfig.StartLimitIntervalSec = "0";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${programs}/bin/cockpit-transaction recover --wait";
        Restart = "on-failure";
        RestartSec = "5";
        RestartSteps = "6";
        RestartMaxDelaySec = "300";
        TimeoutStartSec = "1800";
        # nothing to do is nothing to log
        LogLevelMax = "notice";
      };
    };
  };
}
