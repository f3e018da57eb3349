# shellcheck shell=bash
# homelab-backup-copy take|release: a copy of docker volumes in which everything is of one moment.
# VOLUMES and EXCEPT: names, by spaces; COPY: the folder of the copies; STATE: a file that says what is paused, before it is.
set -euo pipefail
paused=$STATE

release() {
  [ -e "$paused" ] || return 0
  while read -r container; do
    # one that was removed meanwhile needs nothing
    docker unpause "$container" >/dev/null 2>&1 || true
  done <"$paused"
  rm -f "$paused"
}

names() {
  if [ -n "$VOLUMES" ]; then
    tr ' ' '\n' <<<"$VOLUMES"
  else
    # a volume without a name has 64 hex digits instead: nobody would find it again
    docker volume ls -q | sed -E '/^[0-9a-f]{64}$/d'
  fi | while read -r name; do
    case " $EXCEPT " in *" $name "*) ;; *) printf '%s\n' "$name" ;; esac
  done
}

copy() {
  local name source
  for name in "${volumes[@]}"; do
    source=$(docker volume inspect -f '{{.Mountpoint}}' "$name")
    mkdir -p "$COPY/$name"
    # 24: files went away meanwhile, as they do while it runs
    rsync -aHAX --numeric-ids --delete "$source/" "$COPY/$name/" || { [ $? = 24 ] && [ "$1" = running ]; } || return 1
  done
}

take() {
  local list name folder
  list=$(names) # an engine that does not answer is a failure, not an empty backup
  [ -n "$list" ] || { echo "no volumes" >&2 && return 0; }
  mapfile -t volumes <<<"$list"
  for folder in "$COPY"/*/; do
    [ -d "$folder" ] || continue
    name=$(basename "$folder")
    case " ${volumes[*]} " in *" $name "*) ;; *) rm -rf "${COPY:?}/$name" ;; esac
  done
  copy running

  # a deploy is about to recreate what would be paused here: let it end
  for _ in {1..360}; do
    systemctl is-active --quiet nixos-rebuild-switch-to-configuration.service || break
    sleep 5
  done
  for name in "${volumes[@]}"; do docker ps -q --filter "volume=$name" --filter status=running; done | sort -u >"$paused.new"
  mv "$paused.new" "$paused"
  trap release EXIT
  while read -r container; do docker pause "$container" >/dev/null; done <"$paused"
  copy paused
}

case ${1:-} in
  take) take ;;
  release) release ;;
  *) echo "usage: homelab-backup-copy take|release" >&2 && exit 2 ;;
esac
