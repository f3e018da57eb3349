# The tailnet: the only way to this host. It joins with the auth key of secrets/HOST/system.yaml, or once by hand: tailscale up
{ config, lib, ... }:
let
  cfg = config.homelab.tailscale;
  inherit (lib) mkOption types;
in
{
  options.homelab.tailscale = {
    loginServer = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://headscale.example.org";
      description = "A control server of your own.";
    };
    authKeyFile = mkOption {
      type = types.nullOr types.str;
      default = config.homelab.secrets.paths."tailscale/auth-key" or null;
      defaultText = lib.literalExpression "the secret tailscale.auth-key, where there is one";
      description = "File with the key that the node joins with. Used while it is not logged in; the node's own key is state of the host.";
    };
  };

  config = {
    services.tailscale = {
      enable = true;
      # UDP for direct connections between nodes: without it every packet goes through a relay
      openFirewall = true;
      inherit (cfg) authKeyFile;
      extraUpFlags = lib.optional (cfg.loginServer != null) "--login-server=${cfg.loginServer}";
      extraSetFlags = [
        # it would take port 22 of the tailnet's address away from sshd, and with it the pinned host key
        "--ssh=false"
        # its version is that of flake.lock
        "--auto-update=false"
      ];
    };
  };
}
