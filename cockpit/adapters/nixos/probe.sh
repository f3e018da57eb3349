# shellcheck shell=sh disable=SC2012,SC2086,SC2231 # lists of names that we made ourselves: no blanks in them
# Sent on standard input to `sh -s DEPTH`; reads only, needs no root. Prints KEY NUL VALUE NUL pairs.
# DEPTH is `quick` (what a deploy of the same commit needs) or `deep`. Few processes: a host may have fifty generations.
export LC_ALL=C PATH="/run/current-system/sw/bin:$PATH"
put() { printf '%s\0%s\0' "$1" "$2"; }
P=/nix/var/nix/profiles
A=/var/lib/cockpit/attempts
put probe 1
put time "$(date +%s.%N)"
put running "$(readlink -f /run/current-system)"
put profile "$(readlink -f $P/system 2>/dev/null)"
put profile_link "$(readlink $P/system 2>/dev/null)"
if [ -r /boot/loader/default ]; then
  read -r d </boot/loader/default
  put boot_default "$d"
elif [ -r /boot/loader/loader.conf ]; then
  e=$(sed -n 's/^default[[:space:]]*//p' /boot/loader/loader.conf | head -n 1)
  put boot_default "$(sed -n 's|^options .*init=\(/nix/store/[^/]*\)/init.*|\1|p' "/boot/loader/entries/${e%.conf}.conf" 2>/dev/null | head -n 1)"
elif [ -r /boot/grub/grub.cfg ]; then
  put boot_default "$(sed -n 's|.*init=\(/nix/store/[^/]*\)/init.*|\1|p' /boot/grub/grub.cfg | head -n 1)"
elif [ -r /run/cockpit/boot-default ]; then
  d=; read -r d </run/cockpit/boot-default
  put boot_default "$d"
fi
[ ! -r /run/current-system/cockpit/manifest.json ] || put manifest "$(cat /run/current-system/cockpit/manifest.json)"
put unit "$(systemctl show -p ActiveState --value nixos-rebuild-switch-to-configuration.service 2>/dev/null)"
[ ! -r /run/cockpit/holder.json ] || put holder "$(cat /run/cockpit/holder.json)"
if [ -d $A ]; then
  if [ "$1" = quick ]; then n=12; else n=200; fi
  # newest first; an open one is always among them, there is at most one and it is young
  list=$(ls -r $A 2>/dev/null | head -n $n)
  [ -z "$list" ] || {
    cd $A || exit 1
    # the newest one that was done decides whether a hold is in force, however many have failed since
    d=$(grep -ls '"result": *"done"' ./*/outcome.json | tail -n 1)
    d=${d#./}
    d=${d%/outcome.json}
    case "$list" in *"$d"*) ;; *) list="$list $d" ;; esac
    set --  "$1" $list
    depth=$1
    shift
    files=
    for f in "$@"; do files="$files $f/intent.json $f/outcome.json $f/abandoned"; done
    put attempts "$(grep -sH '' $files /dev/null)"
    put decisions "$(for f in "$@"; do echo "$f/decision"; done | xargs ls -ld 2>/dev/null)"
    set -- "$depth"
    cd /
  }
fi
[ ! -r /var/lib/cockpit/projects.json ] || put owned "$(cat /var/lib/cockpit/projects.json)"
if [ -S /var/run/docker.sock ]; then
  put containers "$(curl -sg --max-time 5 --unix-socket /var/run/docker.sock 'http://localhost/containers/json?all=1&filters=%7B%22label%22%3A%5B%22com.docker.compose.project%22%5D%7D' 2>/dev/null ||
    docker ps -a --no-trunc --filter label=com.docker.compose.project --format '{{json .}}' 2>/dev/null)"
fi
[ "$1" != quick ] || exit 0
put booted "$(readlink -f /run/booted-system 2>/dev/null)"
put generations "$(find $P -maxdepth 1 -name 'system-*-link' -printf '%f %T@ %l\n' 2>/dev/null)"
put versions "$(for l in $P/system-*-link /run/current-system /run/booted-system; do v=; k=; read -r v <$l/nixos-version || :; for k in $l/kernel-modules/lib/modules/*; do :; done; echo "$l $v ${k##*/}"; done 2>/dev/null)"
put commits "$(grep -so '"commit": *"[0-9a-f]*"' $P/system-*-link/cockpit/manifest.json /run/current-system/cockpit/manifest.json /dev/null)"
put revisions "$(grep -so '"configurationRevision": *"[0-9a-f]*"' $P/system-*-link/sw/bin/nixos-version /run/current-system/sw/bin/nixos-version /dev/null)"
put kernels "$(for s in booted current; do readlink -f /run/$s-system/kernel /run/$s-system/initrd /run/$s-system/kernel-modules | tr '\n' ' '; echo; done)"
put failed "$(systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null)"
put disks "$(df -P -B1 / /nix /boot 2>/dev/null)"
read -r load rest </proc/loadavg
put load "$load"
read -r up rest </proc/uptime
put uptime "$up"
