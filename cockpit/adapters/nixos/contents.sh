# shellcheck shell=sh disable=SC2086,SC2231,SC2012
# Sent on standard input to `sh -s -- SYSTEM BOOTED`; reads only, needs no root. Prints KEY NUL VALUE NUL pairs.
# SYSTEM is a built system; BOOTED is where its kernel is looked for.
export LC_ALL=C PATH="/run/current-system/sw/bin:$PATH"
put() { printf '%s\0%s\0' "$1" "$2"; }
top=$(readlink -f "$1") && [ -e "$top/nixos-version" ] || exit 4
put closure "$top"
put kernel "$(for part in kernel initrd kernel-modules; do readlink -e "$2/$part"; done)"
put version "$(ls "$2/kernel-modules/lib/modules" 2>/dev/null | head -n 1)"
# without the daemon, or with one that does not talk to everybody, the rest is as good
put paths "$(nix-store --query --requisites "$top" 2>/dev/null)"
[ ! -r "$top/cockpit/manifest.json" ] || put manifest "$(cat "$top/cockpit/manifest.json")"
if cd "$top/etc/systemd/system" 2>/dev/null; then
  set --
  for kind in service socket timer mount automount path target swap slice; do
    for file in *.$kind *.$kind.d/*.conf; do [ ! -f "$file" ] || set -- "$@" "$file"; done
  done
  if [ $# -gt 0 ]; then
    put units "$(sha256sum -- "$@")"
    put reloads "$(grep -l '^X-ReloadIfChanged=true' -- "$@")"
    put stays "$(grep -l '^X-RestartIfChanged=false' -- "$@")"
  fi
fi
