# Backups of docker volumes by restic, encrypted before they leave the host. Off until `homelab.backup.enable`.
#
# Copied while they change, a database's files do not fit together. So volumes are copied twice into a folder of the host: once while
# everything runs, and then only what changed since, with the containers that use them paused. They stand still for seconds, not for
# as long as an upload takes, and what is saved is one moment: a database starts from it as it does after a power cut.
# The price is room for one copy of the volumes.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.homelab.backup;
  inherit (lib) mkOption types;
  secrets = config.homelab.secrets.paths;
  copy = "/var/lib/homelab-backup";
  program = pkgs.writeShellScriptBin "homelab-backup-copy" ''
    export PATH=${
      lib.makeBinPath (
        with pkgs;
        [
          coreutils
          docker-client
          gnused
          rsync
          systemd
        ]
      )
    }
    export VOLUMES=${lib.escapeShellArg (lib.concatStringsSep " " cfg.volumes)}
    export EXCEPT=${lib.escapeShellArg (lib.concatStringsSep " " cfg.except)}
    export COPY=${copy} STATE=/run/homelab-backup.paused
    . ${./backup-copy.sh}
  '';
in
{
  options.homelab.backup = {
    enable = mkOption {
      type = types.bool;
      default = false;
      description = "Whether volumes are backed up. Needs backup.{password,repository,environment} in secrets/HOST/system.yaml.";
    };
    volumes = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Names of volumes; none: every volume that has a name.";
    };
    except = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Names of volumes that can be made again, caches for instance.";
    };
    paths = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Folders of the host that are saved beside the volumes, as they are.";
    };
    at = mkOption {
      type = types.str;
      default = "03:30";
      description = "When, as systemd's OnCalendar= takes it.";
    };
    keep = mkOption {
      type = types.listOf types.str;
      default = [
        "--keep-daily 7"
        "--keep-weekly 5"
        "--keep-monthly 12"
      ];
      description = "What is kept, as `restic forget` takes it.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = config.homelab.secrets.file != null;
        message = "homelab.backup needs secrets/${config.networking.hostName}/system.yaml with backup.password, backup.repository and backup.environment";
      }
    ];

    systemd.tmpfiles.rules = [ "d ${copy} 0700 root root -" ];

    services.restic.backups.volumes = {
      initialize = true;
      paths = [ copy ] ++ cfg.paths;
      passwordFile = secrets."backup/password" or null;
      # an address can hold credentials
      repositoryFile = secrets."backup/repository" or null;
      # NAME=VALUE lines for the storage, AWS_ACCESS_KEY_ID for instance; may be empty
      environmentFile = secrets."backup/environment" or null;
      backupPrepareCommand = "${program}/bin/homelab-backup-copy take";
      # also after a failure: nothing stays paused
      backupCleanupCommand = "${program}/bin/homelab-backup-copy release";
      pruneOpts = cfg.keep;
      # a little of what is stored is read back each time
      checkOpts = [ "--read-data-subset=1%" ];
      timerConfig = {
        OnCalendar = cfg.at;
        RandomizedDelaySec = "15m";
        Persistent = true;
      };
    };
  };
}
