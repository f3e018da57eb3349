# shellcheck shell=sh
# Sent on standard input to `sh -s` as root. Reads only. Prints KEY NUL VALUE NUL pairs, and not more than fits.
export LC_ALL=C PATH="/run/current-system/sw/bin:$PATH"
put() { printf '%s\0%s\0' "$1" "$2"; }
put inventory 1
put hostname "$(cat /proc/sys/kernel/hostname)"
if [ -L /run/current-system ] && [ -L /nix/var/nix/profiles/system ]; then
  put nixos "$(head -c 200 /run/current-system/nixos-version 2>/dev/null)"
  put profile "$(readlink /nix/var/nix/profiles/system)"
fi
[ ! -x /run/current-system/sw/bin/cockpit-transaction ] || put cockpit yes
for file in /etc/ssh/ssh_host_ed25519_key /root/.config/sops/age/keys.txt /var/lib/sops-nix/key.txt /etc/sops/age/keys.txt; do
  [ ! -r "$file" ] || put identity "$file"
done
put units "$(systemctl list-units --type=service,timer --state=active,activating,waiting --plain --no-legend --no-pager --full 2>/dev/null | head -n 2000 | cut -d' ' -f1)"
if docker version >/dev/null 2>&1; then
  put engine yes
  ids=$(docker ps -aq --no-trunc 2>/dev/null)
  put count "$(printf '%s\n' "$ids" | grep -c .)"
  # shellcheck disable=SC2016 # the engine's template
  put containers "$(printf '%s\n' "$ids" | head -n 500 | xargs -r docker inspect --format '[{{json .Name}},{{json .Config.Image}},{{json .State.Status}},{{json .Config.Labels}}]' 2>/dev/null | head -c 8000000)"
fi
