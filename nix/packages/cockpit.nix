# The program, with the libraries that nixpkgs has. `nix run ./nix` from a clone.
{
  lib,
  python3Packages,
  fetchPypi,
  autoPatchelfHook,
  stdenv,
  git,
  nix,
  openssh,
  sops,
  # the top of the repository
  source,
}:
let
  # nixpkgs has no pyrage. Its wheel is for every Python since 3.10; the hash is that of requirements/run.txt.
  pyrage = python3Packages.buildPythonPackage rec {
    pname = "pyrage";
    version = "1.4.0";
    format = "wheel";
    src = fetchPypi {
      inherit pname version format;
      dist = "cp310";
      python = "cp310";
      abi = "abi3";
      platform = "manylinux_2_17_x86_64.manylinux2014_x86_64";
      hash = "sha256-f06wy8K0ruXerJhixHs4lYZt9VVBU5Ua+CLpxYHmhVg=";
    };
    nativeBuildInputs = [ autoPatchelfHook ];
    buildInputs = [ stdenv.cc.cc.lib ];
    pythonImportsCheck = [ "pyrage" ];
    meta = {
      description = "Python bindings for rage";
      homepage = "https://github.com/woodruffw/pyrage";
      license = lib.licenses.mit;
      platforms = [ "x86_64-linux" ];
    };
  };
in
python3Packages.buildPythonApplication {
  pname = "cockpit-homelab";
  version = builtins.head (
    builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile (source + "/cockpit/__init__.py"))
  );
  pyproject = true;
  # what the wheel is made of, and no more: a changed test does not build it anew
  src = lib.fileset.toSource {
    root = source;
    fileset = lib.fileset.difference source (
      lib.fileset.unions (
        map lib.fileset.maybeMissing [
          (source + "/bench")
          (source + "/docs")
          (source + "/requirements")
          (source + "/scripts")
          (source + "/tests")
        ]
      )
    );
  };
  build-system = [ python3Packages.hatchling ];
  # the same names as in pyproject.toml
  dependencies = [
    pyrage
  ]
  ++ (with python3Packages; [
    asyncssh
    bcrypt
    cryptography
    docker
    msgspec
    proxmoxer
    pygments
    requests
    ruamel-yaml
    textual
  ]);
  # tested with pinned versions; here it takes what nixpkgs has
  pythonRelaxDeps = true;
  # after those that the person has: their git may be set up, their nix may be newer
  makeWrapperArgs = [
    "--suffix"
    "PATH"
    ":"
    (lib.makeBinPath [
      git
      nix
      openssh
      sops
    ])
  ];
  pythonImportsCheck = [ "cockpit" ];
  meta = {
    description = "The terminal cockpit for a homelab that is written as code";
    license = lib.licenses.mit;
    mainProgram = "cockpit";
    platforms = [ "x86_64-linux" ];
  };
}
