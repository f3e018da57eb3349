# Stand-in for nixosSystem: the options that a homelab's modules use, and a toplevel that activates like NixOS does.
# `lab.*` makes it misbehave on demand.
{
  modules,
  specialArgs ? { },
  # whether each option that a homelab sets beside these has its name and type; else what the lab has no use for is taken as it is
  typed ? false,
}:
let
  pkgs = import ./pkgs.nix;
  inherit (pkgs) lib;
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type default;
    };
  strings = option (types.listOf types.str) [ ];
  free = option types.anything { };

  unitOptions = {
    options = {
      enable = option types.bool true;
      description = option types.str "";
      wantedBy = strings;
      requiredBy = strings;
      before = strings;
      after = strings;
      requires = strings;
      wants = strings;
      bindsTo = strings;
      partOf = strings;
      conflicts = strings;
      onFailure = strings;
      unitConfig = free;
      serviceConfig = free;
      timerConfig = free;
      environment = free;
      path = option (types.listOf types.anything) [ ];
      script = option types.lines "";
      preStart = option types.lines "";
      reload = option types.lines "";
      reloadIfChanged = option types.bool false;
      restartIfChanged = option types.bool true;
      stopIfChanged = option types.bool true;
      restartTriggers = option (types.listOf types.anything) [ ];
      reloadTriggers = option (types.listOf types.anything) [ ];
    };
  };

  base =
    { config, ... }:
    {
      options = {
        systemd.services = option (types.attrsOf (types.submodule unitOptions)) { };
        systemd.timers = option (types.attrsOf (types.submodule unitOptions)) { };
        systemd.tmpfiles.rules = strings;
        environment.etc = option (types.attrsOf (
          types.submodule {
            options = {
              enable = option types.bool true;
              text = option (types.nullOr types.str) null;
              source = option (types.nullOr types.path) null;
              mode = option types.str "symlink";
            };
          }
        )) { };
        environment.systemPackages = option (types.listOf types.package) [ ];
        users.users = option (types.attrsOf (types.submodule {
          options = {
            isNormalUser = option types.bool false;
            isSystemUser = option types.bool false;
            uid = option (types.nullOr types.int) null;
            group = option types.str "users";
            extraGroups = strings;
            home = option (types.nullOr types.str) null;
            shell = option types.anything "/bin/bash";
            openssh.authorizedKeys.keys = strings;
          };
        })) { };
        users.groups = option (types.attrsOf types.anything) { };
        security.sudo.extraRules = option (types.listOf (
          types.submodule {
            options = {
              users = strings;
              groups = strings;
              commands = option (types.listOf (
                types.submodule {
                  options = {
                    command = option types.str "ALL";
                    options = strings;
                  };
                }
              )) [ ];
            };
          }
        )) [ ];
        networking.hostName = option types.str "host";
        system.build = free;
        system.configurationRevision = option (types.nullOr types.str) null;
        system.systemBuilderCommands = option types.lines "";
        system.nixos.version = option types.str "25.11.20260101.lab";
        lab.evalRounds = option types.int 0;
        lab.kernel = option types.str "6.12.58";
        lab.switchInhibitors = free;
        # exit code of an action, on demand, before it did anything (1, 11, 100) or after (2, 4, 101); or `hang`, `cut-network`
        lab.exit = free;
      };
      config.system.build.toplevel = toplevel (checked config);
    };

  anything.options = {
    virtualisation = free;
    services = free;
    boot = free;
    nix = free;
  };

  # ---- units ----------------------------------------------------------------------------------------------------------------
  values = v: if builtins.isList v then v else [ v ];
  show = v: if v == true then "true" else if v == false then "false" else toString v;
  section = name: set: lib.optionalString (set != { }) ("[${name}]\n" + lib.concatStrings (lib.mapAttrsToList (n: v: lib.concatMapStrings (x: "${n}=${show x}\n") (values v)) set) + "\n");
  listed = name: xs: lib.optionalAttrs (xs != [ ]) { ${name} = lib.concatStringsSep " " xs; };
  unitText =
    name: u:
    section "Unit" (
      { Description = u.description; }
      // listed "Before" u.before
      // listed "After" u.after
      // listed "Requires" u.requires
      // listed "Wants" u.wants
      // listed "BindsTo" u.bindsTo
      // listed "PartOf" u.partOf
      // listed "Conflicts" u.conflicts
      // listed "OnFailure" u.onFailure
      // listed "X-Restart-Triggers" (map toString u.restartTriggers)
      // listed "X-Reload-Triggers" (map toString u.reloadTriggers)
      // u.unitConfig
    )
    + section "Service" (
      u.serviceConfig
      // lib.optionalAttrs (u.script != "") { ExecStart = "${pkgs.writeShellScript "${name}-start" u.script}"; }
      // lib.optionalAttrs (u.preStart != "") { ExecStartPre = "${pkgs.writeShellScript "${name}-pre-start" u.preStart}"; }
      // lib.optionalAttrs (u.reload != "") { ExecReload = "${pkgs.writeShellScript "${name}-reload" u.reload}"; }
      // lib.optionalAttrs (u.environment != { }) { Environment = lib.mapAttrsToList (n: v: "\"${n}=${v}\"") u.environment; }
      // lib.optionalAttrs u.reloadIfChanged { X-ReloadIfChanged = true; }
      // lib.optionalAttrs (!u.restartIfChanged) { X-RestartIfChanged = false; }
      // lib.optionalAttrs (!u.stopIfChanged) { X-StopIfChanged = false; }
    )
    + section "Timer" u.timerConfig;
  unitScript =
    kind: units:
    lib.concatStrings (
      lib.mapAttrsToList (
        n: u:
        lib.optionalString u.enable (
          ''
            cp ${pkgs.writeText "unit-${n}.${kind}" (unitText n u)} "$units/${n}.${kind}"
          ''
          + lib.concatMapStrings (t: ''
            mkdir -p "$units/${t}.wants"; ln -s ../${n}.${kind} "$units/${t}.wants/"
          '') u.wantedBy
          + lib.concatMapStrings (t: ''
            mkdir -p "$units/${t}.requires"; ln -s ../${n}.${kind} "$units/${t}.requires/"
          '') u.requiredBy
        )
      ) units
    );

  # ---- the rest of a system -------------------------------------------------------------------------------------------------
  sudoers = config: lib.concatMapStrings (r: lib.concatMapStrings (u: lib.concatMapStrings (c: "${u} ALL=(root) ${lib.concatMapStrings (o: o + ":") (c.options or [ ])} ${c.command}\n") r.commands) (r.users or [ ])) config.security.sudo.extraRules
    + lib.optionalString (!(config.security.sudo.wheelNeedsPassword or true)) "%wheel ALL=(ALL:ALL) NOPASSWD: ALL\n";
  accounts =
    config:
    lib.concatMapStrings (g: "getent group ${g} >/dev/null || groupadd -r ${g}\n") ([ "wheel" ] ++ lib.attrNames config.users.groups)
    + lib.concatStrings (
      lib.mapAttrsToList (n: u: ''
        getent passwd ${n} >/dev/null || { useradd -m -g ${u.group} -s /bin/bash ${n} && usermod -p '*' ${n}; }
        ${lib.concatMapStrings (g: "getent group ${g} >/dev/null && usermod -aG ${g} ${n}\n") u.extraGroups}
        ${lib.optionalString (u.openssh.authorizedKeys.keys != [ ]) ''
          install -d -m 700 -o ${n} -g ${u.group} ~${n}/.ssh
          cp ${pkgs.writeText "keys-${n}" (lib.concatLines u.openssh.authorizedKeys.keys)} ~${n}/.ssh/authorized_keys
          chown ${n}: ~${n}/.ssh/authorized_keys && chmod 600 ~${n}/.ssh/authorized_keys
        ''}
      '') config.users.users
    );
  busy = import ./busy.nix;

  # as NixOS does: nothing is built of a system that says what is wrong with it
  checked =
    config:
    let
      failed = builtins.filter (found: !found.assertion) (config.assertions or [ ]);
    in
    if failed == [ ] then config else throw "Failed assertions:\n${lib.concatMapStrings (found: "- ${found.message}\n") failed}";
  toplevel =
    config:
    builtins.seq (busy config.lab.evalRounds) (
      pkgs.runCommand "nixos-system-${config.networking.hostName}-${config.system.nixos.version}"
        {
          version = config.system.nixos.version;
          revision = if config.system.configurationRevision == null then "" else config.system.configurationRevision;
          kernel = config.lab.kernel;
          inhibitors = builtins.toJSON config.lab.switchInhibitors;
          faults = builtins.toJSON config.lab.exit;
          accounts = accounts config;
          sudoers = sudoers config;
          tmpfiles = lib.concatLines config.systemd.tmpfiles.rules;
          switch = ./switch-to-configuration.sh;
          kernelPackage = pkgs.runCommand "linux-${config.lab.kernel}" { } ''mkdir -p $out/lib/modules/${config.lab.kernel}; echo ${config.lab.kernel} >$out/bzImage'';
          passAsFile = [
            "accounts"
            "sudoers"
            "tmpfiles"
          ];
        }
        ''
          units=$out/etc/systemd/system
          mkdir -p $units $out/bin $out/sw/bin $out/etc/sudoers.d $out/etc/tmpfiles.d
          printf %s "$version" >$out/nixos-version
          ln -s $kernelPackage/bzImage $out/kernel
          ln -s $kernelPackage $out/kernel-modules
          ln -s $kernelPackage/bzImage $out/initrd
          printf '%s\n' "$faults" >$out/lab-faults.json
          [ "$inhibitors" = '{}' ] || printf '%s\n' "$inhibitors" >$out/switch-inhibitors
          { echo '#!/bin/bash'; cat "$accountsPath"; } >$out/accounts
          chmod 555 $out/accounts
          cp "$sudoersPath" $out/etc/sudoers.d/nixos; chmod 440 $out/etc/sudoers.d/nixos
          cp "$tmpfilesPath" $out/etc/tmpfiles.d/nixos.conf
          ${unitScript "service" config.systemd.services}
          ${unitScript "timer" config.systemd.timers}
          ${lib.concatStrings (
            lib.mapAttrsToList (
              n: e:
              lib.optionalString e.enable ''
                mkdir -p "$(dirname "$out/etc/${n}")"
                ln -s ${if e.source != null then e.source else pkgs.writeText "etc-${baseNameOf n}" e.text} "$out/etc/${n}"
              ''
            ) config.environment.etc
          )}
          ${lib.concatMapStrings (p: ''
            for f in ${p}/bin/*; do case ${p} in /usr) ;; *) ln -sf "$f" $out/sw/bin/ ;; esac; done
          '') config.environment.systemPackages}
          cat >$out/sw/bin/nixos-version <<EOF
          #!/bin/sh
          case "\$1" in
            --configuration-revision) [ -n "$revision" ] && echo "$revision" ;;
            --json) echo '{"nixosVersion":"$version","configurationRevision":"$revision"}' ;;
            *) echo "$version" ;;
          esac
          EOF
          sed "s|@out@|$out|g" $switch >$out/bin/switch-to-configuration
          chmod 555 $out/bin/switch-to-configuration $out/sw/bin/nixos-version
          ${config.system.systemBuilderCommands}
        ''
    );
in
lib.evalModules {
  modules = [
    base
    (if typed then ./options.nix else anything)
  ]
  ++ modules;
  specialArgs = {
    inherit pkgs;
    modulesPath = toString ./modules;
  }
  // specialArgs;
}
