# The engine, and the networks that compose projects share, so that none of them has to come up before another.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.homelab.docker;
  inherit (lib) mkOption types;
  docker = "${pkgs.docker-client}/bin/docker";
in
{
  options.homelab.docker.networks = mkOption {
    type = types.attrsOf (
      types.submodule {
        options.internal = mkOption {
          type = types.bool;
          default = false;
          description = "Whether nothing outside of this host can be reached through it.";
        };
      }
    );
    default = { };
    description = "Networks of the engine that exist before any project, beside `proxy` and `socket`. One that is no longer named stays.";
  };

  config = {
    homelab.docker.networks = {
      # what Traefik forwards to
      proxy = { };
      # nothing on it reaches anything but the proxy of the engine's socket
      socket.internal = true;
    };

    virtualisation.docker = {
      enable = true;
      # the logs of all containers in one place, with an end (base.nix), and still there after a container is recreated
      logDriver = "journald";
      daemon.settings = {
        # the engine can be restarted, by an update for instance, without its containers
        live-restore = true;
        # the engine publishes past the firewall: a port without an address stays on loopback, in networks to come too
        ip = "127.0.0.1";
        default-network-opts.bridge."com.docker.network.bridge.host_binding_ipv4" = "127.0.0.1";
      };
      # no autoPrune: it would remove the images that a rollback needs
    };

    # Traefik's port is on the tailnet's address, which tailscale0 may get later than docker starts
    boot.kernel.sysctl."net.ipv4.ip_nonlocal_bind" = 1;

    systemd.services.docker-networks = {
      description = "Networks that compose projects share";
      # no project can start without the networks that it names
      wantedBy = [ "multi-user.target" ] ++ lib.optional config.cockpit.enable "cockpit-converge.service";
      requires = [ "docker.service" ];
      after = [ "docker.service" ];
      before = [ "cockpit-converge.service" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = lib.concatStrings (
        lib.mapAttrsToList (
          name: network:
          let
            quoted = lib.escapeShellArg name;
          in
          ''
            ${docker} network inspect ${quoted} >/dev/null 2>&1 ||
              ${docker} network create ${lib.optionalString network.internal "--internal "}${quoted}
          ''
        ) cfg.networks
      );
    };
  };
}
