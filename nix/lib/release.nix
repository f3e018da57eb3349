# The release of one host: commit, cockpit.yaml, compose projects and encrypted secrets, as one derivation.
# A plain function: no nixpkgs needed. Evaluation reads folder names only; cockpit.yaml is read by the builder,
# so that the settings live in one file and a change of it does not need a second language.
#
# Each top-level entry of each project folder, and each secrets file, is a content-addressed store path of its own:
# an unchanged entry keeps its path whatever else changes, so nothing that mounts it is recreated.
{
  # a set with: system, bash, path (a PATH with coreutils, findutils, grep and jq), yamlToJson (a command; file as last argument)
  build,
  # the top of the repository, as a path
  root,
  # 40 hex digits, or null for a dirty tree
  commit ? null,
  # the key under `hosts:` of cockpit.yaml
  host,
  settings ? root + "/cockpit.yaml",
  # folders below root whose sub-folders are compose projects
  projectRoots ? [ "compose" ],
  # folders below root that hold encrypted files
  secretRoots ? [ "secrets" ],
}:
let
  inherit (builtins)
    attrNames
    concatMap
    filter
    hashString
    listToAttrs
    pathExists
    readDir
    substring
    ;

  # Store names allow fewer characters than file names do: the manifest keeps the real one.
  entry =
    path:
    builtins.path {
      inherit path;
      name = "e-" + substring 0 12 (hashString "sha256" (baseNameOf path));
    };

  children =
    folder:
    let
      names = if pathExists (root + "/${folder}") then readDir (root + "/${folder}") else { };
    in
    map (name: {
      inherit name;
      kind = names.${name};
      path = "${folder}/${name}";
    }) (attrNames names);

  projects = concatMap (folder: filter (c: c.kind == "directory") (children folder)) projectRoots;

  projectEntries = listToAttrs (
    map (project: {
      name = project.path;
      value = listToAttrs (
        map (c: {
          inherit (c) name;
          value = "${entry (root + "/${c.path}")}";
        }) (children project.path)
      );
    }) projects
  );

  filesBelow =
    folder:
    concatMap (
      c:
      if c.kind == "directory" then
        filesBelow c.path
      else if c.kind == "regular" then
        [ c.path ]
      else
        [ ]
    ) (children folder);

  secretFiles = listToAttrs (
    map (path: {
      name = path;
      value = "${entry (root + "/${path}")}";
    }) (concatMap filesBelow secretRoots)
  );
in
derivation {
  name = "cockpit-release";
  inherit (build) system;
  builder = "${build.bash}/bin/bash";
  args = [
    "-eu"
    ../programs/build-release.sh
  ];
  PATH = build.path;
  inherit (build) yamlToJson;
  inherit host;
  commit = if commit == null then "" else commit;
  settings = entry settings;
  functions = ../programs/release.jq;
  sources = builtins.toJSON {
    projects = projectEntries;
    secrets = secretFiles;
  };
  passAsFile = [ "sources" ];
  preferLocalBuild = true;
  allowSubstitutes = false;
}
