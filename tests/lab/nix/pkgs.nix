# Stand-in for nixpkgs: programs are Debian's under /usr; makers are plain derivations.
let
  lib = import ./lib.nix;
  system = "x86_64-linux";
  PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
  debian = name: {
    inherit name;
    pname = name;
    version = "0";
    outPath = "/usr";
  };
  run =
    name: env: script:
    derivation (
      {
        inherit name system PATH;
        builder = "/bin/bash";
        args = [
          "-eu"
          "-c"
          # bash must stay the last process: coreutils close their output before they exit, nix takes that for the end and kills
          (script + "\nexit 0")
        ];
      }
      // env
    )
    // {
      pname = name;
    };
in
lib.genAttrs [
  "bash"
  "coreutils"
  "curl"
  "diffutils"
  "docker"
  "docker-client"
  "docker-compose"
  "findutils"
  "gawk"
  "git"
  "gnugrep"
  "gnused"
  "gnutar"
  "iproute2"
  "jq"
  "nix"
  "openssh"
  "procps"
  "rsync"
  "sops"
  "strace"
  "systemd"
  "util-linux"
] debian
// rec {
  inherit lib;
  stdenv.hostPlatform.system = system;
  # what an image's builder calls: a disk here is text
  gptfdisk = writeShellScriptBin "sgdisk" ''printf '%s\n' "''${@:1:$#-1}" >>"''${@: -1}"'';
  qemu-utils = writeShellScriptBin "qemu-img" ''cp "''${@: -2:1}" "''${@: -1}"'';
  # Debian's yq prints JSON without being told
  yq-go = writeShellScriptBin "yq" ''[ "$1" != -o=json ] || shift; exec /usr/bin/yq "$@"'';
  runCommand = run;
  runCommandLocal = run;
  writeText =
    name: text:
    run name {
      inherit text;
      passAsFile = [ "text" ];
    } ''cp "$textPath" "$out"'';
  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
    }:
    run name {
      inherit text destination;
      passAsFile = [ "text" ];
      x = if executable then "555" else "444";
    } ''mkdir -p "$(dirname "$out$destination")"; cp "$textPath" "$out$destination"; chmod $x "$out$destination"'';
  writeScript = name: text: writeTextFile { inherit name text; executable = true; };
  writeShellScript = name: text: writeScript name "#!/bin/bash\n${text}";
  writeScriptBin = name: text: writeTextFile { inherit name text; executable = true; destination = "/bin/${name}"; };
  writeShellScriptBin = name: text: writeScriptBin name "#!/bin/bash\n${text}";
}
