# The networks that several compose projects share, so that none of them has to come up before another.
{ pkgs, ... }:
{
  systemd.services.docker-networks = {
    description = "Networks that compose projects share";
    wantedBy = [ "multi-user.target" ];
    requires = [ "docker.service" ];
    after = [ "docker.service" ];
    before = [ "cockpit-converge.service" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = ''
      have() { ${pkgs.docker-client}/bin/docker network inspect "$1" >/dev/null 2>&1; }
      have proxy || ${pkgs.docker-client}/bin/docker network create proxy
      # nothing on it reaches anything but the proxy of the engine's socket
      have socket || ${pkgs.docker-client}/bin/docker network create --internal socket
    '';
  };
}
