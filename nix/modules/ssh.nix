# Who gets in, and how: by key only, never as root, through the tailnet only.
{ config, lib, ... }:
let
  cfg = config.homelab;
  inherit (lib) mkOption types;
  keys = what: mkOption {
    type = types.listOf types.singleLineStr;
    default = [ ];
    example = [ "ssh-ed25519 AAAA... you@laptop" ];
    description = what;
  };
  # absent where somebody leaves cockpit
  deployer = lib.optional config.cockpit.enable config.cockpit.user;
  reader = lib.optional (config.cockpit.enable && cfg.access.plan != [ ]) "cockpit-plan";
  all = cfg.access.admin ++ cfg.access.deploy ++ cfg.access.plan;
in
{
  options.homelab = {
    access.admin = keys "Public ssh keys of people: account `admin`, with a shell and sudo.";
    access.deploy = keys "Public ssh keys of what deploys: account `cockpit`. Equal to root.";
    access.plan = keys "Public ssh keys of what plans pull requests: account `cockpit-plan`, which may only look.";
    ssh.interfaces = mkOption {
      type = types.listOf types.str;
      default = [ "tailscale0" ];
      description = "Network interfaces on which sshd can be reached.";
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.access.admin != [ ] && cfg.access.deploy != [ ];
        message = "no ssh keys: nobody could log in after this deploy. Put yours into nix/hosts/${config.networking.hostName}/site.nix";
      }
      {
        # an image of a key's private half would be in the store, for all to read
        assertion = builtins.all (key: builtins.match ".*PRIVATE KEY.*" key == null) all;
        message = "a private ssh key in nix/hosts/${config.networking.hostName}/site.nix: replace the key, not only the line";
      }
    ];

    users.users = {
      admin = {
        isNormalUser = true;
        extraGroups = [ "wheel" ];
        openssh.authorizedKeys.keys = cfg.access.admin;
      };
    }
    // lib.genAttrs deployer (_: {
      openssh.authorizedKeys.keys = cfg.access.deploy;
    })
    # in no group, without sudo: what everybody on the host can read is enough for `cockpit plan --read-only`
    // lib.genAttrs reader (_: {
      isNormalUser = true;
      openssh.authorizedKeys.keys = map (key: "restrict ${key}") cfg.access.plan;
    });

    services.openssh = {
      enable = true;
      # the firewall opens it, by interface
      openFirewall = false;
      # a key that is not in this repository opens nothing
      authorizedKeysInHomedir = false;
      settings = {
        AuthenticationMethods = "publickey";
        PasswordAuthentication = false;
        KbdInteractiveAuthentication = false;
        PermitRootLogin = "no";
        AllowUsers = [ "admin" ] ++ deployer ++ reader;
        AllowAgentForwarding = false;
        # cockpit reaches the engine's socket through the connection; nothing else is to be reached through this host
        AllowTcpForwarding = "local";
        X11Forwarding = false;
        MaxAuthTries = 4;
      };
      # also the identity that decrypts this host's secrets
      hostKeys = [
        {
          path = "/etc/ssh/ssh_host_ed25519_key";
          type = "ed25519";
        }
      ];
    };

    networking.firewall.interfaces = lib.genAttrs cfg.ssh.interfaces (_: {
      allowedTCPPorts = config.services.openssh.ports;
    });
  };
}
