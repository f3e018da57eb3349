# shellcheck shell=sh
# First contact with a host that has no programs of cockpit's. Given to `sh -c` as root, with VERB and its arguments.
# `look` and `lacks` read; `receive` and `build` write only what is content-addressed: commits into cockpit's own repository, and the store.
set -eu
export LC_ALL=C HOME=/root GIT_CONFIG_NOSYSTEM=1 PATH="/run/current-system/sw/bin:$PATH"
repo=/var/lib/cockpit/repo.git
roots=/nix/var/nix/gcroots/cockpit
case $1 in
  look)
    [ "$(id -u)" != 0 ] || echo root
    [ ! -L /run/current-system ] || [ ! -L /nix/var/nix/profiles/system ] || echo nixos
    [ ! -x /run/current-system/sw/bin/cockpit-transaction ] || echo cockpit
    ! command -v git >/dev/null || echo git
    [ ! -d $repo ] || git -C $repo for-each-ref --format='have %(objectname)' refs/cockpit 2>/dev/null || :
    ;;
  receive) # COMMIT, its pack on standard input
    umask 022
    mkdir -p /var/lib/cockpit
    if [ ! -d $repo ]; then
      git init -q --bare $repo.new
      chmod 700 $repo.new
      mv -T $repo.new $repo
    fi
    git -C $repo index-pack --fix-thin --stdin >/dev/null
    git -C $repo cat-file -e "$2^{commit}"
    git -C $repo update-ref "refs/cockpit/$2" "$2"
    ;;
  build) # RUN COMMIT FOLDER ATTRIBUTE: the closure on standard output
    umask 022
    mkdir -p /run/cockpit $roots
    git config --file /run/cockpit/gitconfig --replace-all safe.directory $repo
    closure=$(GIT_CONFIG_GLOBAL=/run/cockpit/gitconfig nix --extra-experimental-features 'nix-command flakes' build --no-link --print-out-paths \
      --print-build-logs --no-update-lock-file "git+file://$repo?ref=refs/cockpit/$3&rev=$3${4:+&dir=$4}#nixosConfigurations.\"$5\".config.system.build.toplevel" </dev/null)
    ln -sfT "$closure" "$roots/$2-new"
    echo "$closure"
    ;;
  lacks) # store paths on standard input: those that are not here
    xargs -r nix-store --check-validity --print-invalid
    ;;
  take) # RUN CLOSURE, exported store paths on standard input
    nix-store --import >/dev/null
    mkdir -p $roots
    ln -sfT "$3" "$roots/$2-new"
    ;;
esac
