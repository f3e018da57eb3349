# Everything that this repository is worked on with. nix develop ./nix
{
  mkShellNoCC,
  actionlint,
  age,
  curl,
  docker-client,
  docker-compose,
  git,
  gnumake,
  jq,
  nixfmt-tree,
  nixos-rebuild-ng,
  openssh,
  opentofu,
  python3,
  shellcheck,
  sops,
  tailscale,
  uv,
  zizmor,
}:
mkShellNoCC {
  name = "homelab";
  packages = [
    # the hosts
    git
    nixfmt-tree
    nixos-rebuild-ng
    openssh
    tailscale
    # secrets
    age
    sops
    # containers
    curl
    docker-client
    docker-compose
    jq
    # guests
    opentofu
    # workflows
    actionlint
    zizmor
    # the program
    gnumake
    python3
    shellcheck
    uv
  ];
}
