#!/bin/bash
# The lab's switch-to-configuration, after switch-to-configuration-ng: check, dry-activate, test, boot, switch.
# Units that changed are stopped, then started; those that ask for it are reloaded. Faults come from lab-faults.json, on demand.
set -uo pipefail
out=@out@
action=${1:-}
static=/etc/static
units=$out/etc/systemd/system

fault() { jq -r --arg a "$1" '.[$a] // empty' "$out/lab-faults.json"; }
list() { # words -> a, b
  local IFS=,
  local text="$*"
  echo "${text//,/, }"
}
announce() { # PREFIX units...
  local prefix=$1
  shift
  [ $# -eq 0 ] || echo "$prefix the following units: $(list "$@")" >&2
}

case $action in
  check | dry-activate | test | boot | switch) ;;
  *) echo "usage: $0 check|dry-activate|test|boot|switch" >&2 && exit 1 ;;
esac
[ "$(id -u)" = 0 ] || { echo "must be root" >&2 && exit 1; }

want=$(fault "$action")
case $want in
  1) echo "pre-switch check failed" >&2 && exit 1 ;;
  11) echo "could not acquire lock" >&2 && exit 11 ;;
  100) echo "the init interface changed: a reboot is needed" >&2 && exit 100 ;;
esac
[ "$action" != check ] || exit 0

mkdir -p /run/nixos
exec 8>/run/nixos/switch-to-configuration.lock
flock -n 8 || { echo "could not acquire lock" >&2 && exit 11; }

write_boot() {
  local file
  mkdir -p /boot/loader/entries
  file=/boot/loader/entries/$(basename "$out").conf
  printf 'title NixOS\noptions init=%s/init\n' "$out" >"$file.tmp" && sync "$file.tmp" && mv "$file.tmp" "$file"
  printf '%s\n' "$out" >/boot/loader/default.tmp && sync /boot/loader/default.tmp && mv /boot/loader/default.tmp /boot/loader/default
  sync /boot/loader
  sync -f /nix/store
}

if [ "$action" = boot ] || [ "$action" = switch ]; then
  [ "$want" = hang ] && sleep 100000
  write_boot || exit 1
  [ "$want" != 2 ] || exit 1
fi
[ "$action" != boot ] || exit 0

# ---- what changes -----------------------------------------------------------------------------------------------------------
old=$(readlink -f $static/systemd/system 2>/dev/null || echo /nonexistent)
stop=() restart=() reload=() start=()
says() { grep -qs "^$1=true" "$2"; }
unsays() { grep -qs "^$1=false" "$2"; }
for file in "$old"/*.service "$old"/*.timer; do
  [ -e "$file" ] || continue
  name=${file##*/}
  systemctl is-active --quiet "$name" || continue
  if [ ! -e "$units/$name" ]; then
    unsays X-StopOnRemoval "$file" || stop+=("$name")
  elif ! cmp -s "$file" "$units/$name"; then
    if says X-ReloadIfChanged "$units/$name"; then
      reload+=("$name")
    elif unsays X-RestartIfChanged "$units/$name"; then
      :
    else
      restart+=("$name")
    fi
  fi
done
for link in "$units"/multi-user.target.wants/* "$units"/timers.target.wants/*; do
  [ -e "$link" ] || continue
  name=${link##*/}
  case " ${restart[*]:-} ${reload[*]:-} " in *" $name "*) continue ;; esac
  systemctl is-active --quiet "$name" && continue
  # a one-shot that does not stay is not started again by a switch that leaves it as it was
  if cmp -s "$old/$name" "$units/$name" && grep -qs '^Type=oneshot' "$units/$name" && ! grep -qs '^RemainAfterExit=\(true\|1\)' "$units/$name"; then continue; fi
  start+=("$name")
done

if [ "$action" = dry-activate ]; then
  announce "would stop" ${stop[@]+"${stop[@]}"}
  announce "would restart" ${restart[@]+"${restart[@]}"}
  announce "would reload" ${reload[@]+"${reload[@]}"}
  announce "would start" ${start[@]+"${start[@]}"}
  exit 0
fi

# ---- activation ------------------------------------------------------------------------------------------------------------
announce "stopping" ${stop[@]+"${stop[@]}"} ${restart[@]+"${restart[@]}"}
for name in ${stop[@]+"${stop[@]}"} ${restart[@]+"${restart[@]}"}; do systemctl stop "$name"; done
echo "activating the configuration..." >&2
[ "$want" != hang ] || sleep 100000
"$out/accounts" >/dev/null 2>&1
ln -sfT "$out/etc" $static.new && mv -T $static.new $static
[ -L /etc/systemd/system ] || { rm -rf /etc/systemd/system && ln -sT $static/systemd/system /etc/systemd/system; }
ln -sfT $static/sudoers.d/nixos /etc/sudoers.d/nixos
[ "$want" != 2 ] || { echo "activation script failed" >&2 && exit 2; }
ln -sfT "$out" /run/current-system.new && mv -T /run/current-system.new /run/current-system
[ "$want" != 101 ] || { echo "thread 'main' panicked" >&2 && exit 101; }
if [ "$want" = cut-network ]; then ip link set eth0 down; else ip link show eth0 2>/dev/null | grep -q 'state DOWN' && network_back=1; fi
systemctl daemon-reload || exit 1
mkdir -p /etc/tmpfiles.d && ln -sfT $static/tmpfiles.d/nixos.conf /etc/tmpfiles.d/00-nixos.conf # for the boots that come
systemd-tmpfiles --create --prefix=/var --prefix=/run $static/tmpfiles.d/nixos.conf 2>/dev/null
failed=()
announce "reloading" ${reload[@]+"${reload[@]}"}
for name in ${reload[@]+"${reload[@]}"}; do systemctl reload "$name" || failed+=("$name"); done
announce "starting" ${restart[@]+"${restart[@]}"} ${start[@]+"${start[@]}"}
for name in ${restart[@]+"${restart[@]}"} ${start[@]+"${start[@]}"}; do
  systemctl start "$name" || failed+=("$name")
done
if [ "${network_back:-}" = 1 ]; then ip link set eth0 up; fi
sync -f /nix/store
if [ "$want" = 4 ]; then failed+=(on-demand.service); fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "warning: the following units failed: $(list "${failed[@]}")" >&2
  exit 4
fi
exit 0
