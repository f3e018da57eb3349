# The host's own secrets: secrets/HOST/system.yaml, decrypted by sops-nix with the host's ssh key when it boots or is switched.
# Secrets of containers are not here: cockpit has them, so that a deploy of a project alone can change them.
{ config, lib, ... }:
let
  cfg = config.homelab.secrets;
  inherit (lib) mkOption types;
  usual = (config.cockpit.root or ../..) + "/secrets/${config.networking.hostName}/system.yaml";
in
{
  options.homelab.secrets = {
    file = mkOption {
      type = types.nullOr types.path;
      default = if builtins.pathExists usual then usual else null;
      defaultText = lib.literalExpression "secrets/HOST/system.yaml, where there is one";
      description = "File, encrypted by sops, with the secrets of the host itself.";
    };
    paths = mkOption {
      type = types.attrsOf types.str;
      readOnly = true;
      description = "Where the secrets are on the host, by key.";
    };
  };

  config = {
    homelab.secrets.paths = lib.mapAttrs (_: secret: secret.path) config.sops.secrets;

    sops = {
      # the same key that containers' secrets are encrypted for; it is made on the host and stays there
      age.sshKeyPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];
      gnupg.sshKeyPaths = [ ];
    }
    // lib.optionalAttrs (cfg.file != null) {
      defaultSopsFile = cfg.file;
      # root's, 0400, in a ramfs; the name is the path of the key in the file
      secrets = lib.genAttrs (
        [ "tailscale/auth-key" ]
        ++ lib.optionals config.homelab.backup.enable [
          "backup/password"
          "backup/repository"
          "backup/environment"
        ]
      ) (_: { });
    };
  };
}
