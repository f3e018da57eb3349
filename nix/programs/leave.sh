# shellcheck shell=bash
# Leaving cockpit: what a release lent to the project directories becomes their own, so that nothing there needs the store, memory,
# or this program any more. Sourced. As long as the host has cockpit the next activation or boot turns it round.

LEFT=$STATE/left

own_entry() { # STORE-PATH PATH
  rm -rf "$2.cockpit-new"
  cp -rT --preserve=mode "$1" "$2.cockpit-new"
  chmod -R u+w,go+rX "$2.cockpit-new"
  rm -f "$2"
  mv -T "$2.cockpit-new" "$2"
}

own_secret() { # PATH, a link into memory: plain text on the disk from here on
  (umask 077 && cat "$1" >"$1.cockpit-new")
  mv -fT "$1.cockpit-new" "$1"
}

verb_leave() { # -> {"directories": [], "plain": []}
  local manifest project directory kind name path
  local -a directories=() plain=()
  manifest=$(manifest_of "$(running_closure)")
  [ -n "$manifest" ] || fail 9 "the running system has no cockpit to leave"
  ! unit_active || refuse_locked
  [ -z "$(open_attempt)" ] || fail 7 "the host is locked" "an interrupted deploy is still to be ended" "cockpit-transaction recover"
  exec 9>"$RUNTIME/secrets.lock"
  flock -w 60 9 || fail 7 "another cockpit-secrets runs" "it held its lock for a minute"
  while IFS=$'\x1f' read -r project directory <&3; do
    directories+=("$directory")
    settle_directory "$directory"
    while IFS=$'\x1f' read -r kind name path <&4; do
      case $kind in
        link) if our_link "$directory/$name" || [ ! -e "$directory/$name" ]; then own_entry "$path" "$directory/$name"; fi ;;
        secret)
          ! our_link "$directory/$name" || own_secret "$directory/$name"
          plain+=("$directory/$name")
          ;;
        file)
          mkdir -p -m 0711 "$LEFT" "$LEFT/$project"
          cp -aT "$SECRETS/$project/$name" "$LEFT/$project/$name"
          plain+=("$LEFT/$project/$name")
          ;;
      esac
    done 4< <(jq -r --arg p "$project" '.projects[$p] | . as $all | ((.entries | to_entries[] | select(.key as $k | $all.copied | index($k) | not) | ["link", .key, .value]),
      (.encrypted | keys[] | ["secret", ., ""]), (.secrets | keys[] | ["file", ., ""])) | join("\u001f")' "$manifest")
    rm -f "$directory/$COPIED" "$directory/$COPYING"
  done 3< <(jq -r '.projects | to_entries[] | "\(.key)\u001f\(.value.directory)"' "$manifest")
  sync
  jq -cn --argjson d "$(printf '%s\n' "${directories[@]}" | jq -Rnc '[inputs | select(. != "")]')" --argjson p "$(printf '%s\n' "${plain[@]}" | jq -Rnc '[inputs | select(. != "")]')" '{directories: $d, plain: $p}'
}
