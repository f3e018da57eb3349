# cockpit-converge, cockpit-secrets and cockpit-transaction as one derivation. Every tool is found through `path`, which names
# store paths only: what runs on a host is what its closure carries.
{ build }:
let
  names = [
    "cockpit-converge"
    "cockpit-secrets"
    "cockpit-transaction"
  ];
  sources = builtins.path {
    path = ../programs;
    name = "cockpit-programs-source";
  };
in
derivation {
  name = "cockpit-programs";
  inherit (build) system;
  builder = "${build.bash}/bin/bash";
  args = [
    "-eu"
    "-c"
    ''
      mkdir -p "$out/bin" "$out/libexec"
      cp "$sources"/*.sh "$sources"/*.jq "$out/libexec/"
      for name in $names; do
        {
          echo "#!$bash/bin/bash"
          echo "export PATH=$toolPath"
          echo "COCKPIT_SELF=$out/bin"
          echo ". $out/libexec/''${name#cockpit-}.sh"
        } >"$out/bin/$name"
        chmod 555 "$out/bin/$name"
      done
      exit 0
    ''
  ];
  PATH = build.path;
  inherit names sources;
  bash = "${build.bash}";
  toolPath = build.path;
  preferLocalBuild = true;
  allowSubstitutes = false;
}
