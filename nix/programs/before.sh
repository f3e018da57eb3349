# shellcheck shell=bash
# What a project's directory held before a release came. It is put aside by renames while an attempt is open, so that going back
# brings it back whole and what a running container has mounted stays mounted; and settled when the release stays. Sourced.

# Whole entries lie in it by their name, single files of copied folders below `.files`, folders that a container still looks into
# although the release has the same below `.mounted`. Root's alone: there may be plain text in it.
BEFORE=.cockpit-before
KEPT=.cockpit-kept

same_content() { # PATH PATH, the second may be a link; what the first would name is not where it was
  if [ -L "$1" ]; then
    return 1
  elif [ -d "$1" ]; then
    timeout 30 diff -rq --no-dereference "$1/." "$2/." >/dev/null 2>&1
  else
    cmp -s "$1" "$2"
  fi
}

our_link() { # PATH: a link that a release made
  [ -L "$1" ] || return 1
  case $(readlink "$1") in
    /nix/store/*-e-* | "$SECRETS"/*) return 0 ;;
  esac
  return 1
}

put_aside() { # DIRECTORY NAME
  local to=$1/$BEFORE/$2
  case $2 in */*) to=$1/$BEFORE/.files/$2 ;; esac
  if [ -e "$to" ] || [ -L "$to" ]; then
    keep_beside "$1/$2" "$1/$2"
    return
  fi
  mkdir -p "$(dirname "$to")"
  chmod 700 "$1/$BEFORE"
  mv -T "$1/$2" "$to"
}

note_added() { # DIRECTORY NAME: a copy where nothing was
  mkdir -p "$1/$BEFORE"
  chmod 700 "$1/$BEFORE"
  printf '%s\n' "$2" >>"$1/$BEFORE/.added"
  sync "$1/$BEFORE/.added"
}

keep_beside() { # FROM PATH: nothing that the host has and the release does not know is ever removed
  local to=$2$KEPT n=1
  while [ -e "$to" ] || [ -L "$to" ]; do
    n=$((n + 1))
    to=$2$KEPT-$n
  done
  mv -T "$1" "$to"
  # what stands for a secret may be one
  [ -L "$to" ] || case $(readlink "$2" 2>/dev/null) in "$SECRETS"/*) chmod -R go-rwx "$to" ;; esac
  say "$2 was changed on this host: kept as $to"
}

still_mounted() { # NAME of a folder in `.mounted`: some container looks into it, or into what is in it
  local root name=${1// /\\040}
  while IFS= read -r root; do
    case $root/ in *"/$BEFORE/.mounted/$name/"*) return 0 ;; esac
  done < <(cat /proc/[0-9]*/mountinfo 2>/dev/null | awk -v b="/$BEFORE/" 'index($4, b) { print $4 }' | sort -u)
  return 1
}

aside_entries() { # DIRECTORY -> names
  (cd "$1/$BEFORE" 2>/dev/null && find . -mindepth 1 -maxdepth 1 ! -name .files ! -name .added ! -name .mounted -printf '%P\n') || true
}

aside_files() { # DIRECTORY -> paths below `.files`
  (cd "$1/$BEFORE/.files" 2>/dev/null && find . ! -type d -printf '%P\n') || true
}

sweep() { # DIRECTORY
  [ ! -d "$1/$BEFORE" ] || find "$1/$BEFORE" -depth -type d -empty -delete 2>/dev/null || true
}

# The release stays: what it has as well goes, everything else is kept beside. A folder that a container still looks into goes later.
settle_directory() { # DIRECTORY
  local name to
  [ -d "$1/$BEFORE" ] || return 0
  rm -f "$1/$BEFORE/.added"
  while IFS= read -r name <&4; do
    if same_content "$1/$BEFORE/.files/$name" "$1/$name"; then rm -f "$1/$BEFORE/.files/$name"; else keep_beside "$1/$BEFORE/.files/$name" "$1/$name"; fi
  done 4< <(aside_files "$1")
  while IFS= read -r name <&4; do
    if ! same_content "$1/$BEFORE/$name" "$1/$name"; then
      keep_beside "$1/$BEFORE/$name" "$1/$name"
    elif [ -d "$1/$BEFORE/$name" ]; then
      # out of the way of a later attempt that goes back
      mkdir -p "$1/$BEFORE/.mounted"
      to=$1/$BEFORE/.mounted/$name.$(date +%s%N)
      mv -T "$1/$BEFORE/$name" "$to"
    else
      rm -f "$1/$BEFORE/$name"
    fi
  done 4< <(aside_entries "$1")
  for to in "$1/$BEFORE/.mounted"/*; do
    [ ! -d "$to" ] || still_mounted "${to##*/}" || rm -rf "$to"
  done
  sweep "$1"
}

settle_directories() { # MANIFEST
  local directory
  [ -n "$1" ] || return 0
  while IFS= read -r directory <&3; do settle_directory "$directory"; done 3< <(jq -r '.projects[].directory' "$1")
}

# The earlier state comes back. `whole`: the project was no release's before, so that nothing of one may stay.
restore_directory() { # DIRECTORY [whole] -> 0, or 1 with FAIL_WHY
  local name path
  [ -d "$1" ] || return 0
  load_copied "$1"
  clear_unfinished "$1"
  while IFS= read -r name <&4; do
    path=$1/$BEFORE/$name
    if our_link "$1/$name"; then
      rm -f "$1/$name"
    elif [ -e "$1/$name" ] || [ -L "$1/$name" ]; then
      if ! only_copies "$1/$name" "$name"; then
        keep_beside "$path" "$1/$name"
        continue
      fi
      rm -rf "${1:?}/$name"
    fi
    mv -T "$path" "$1/$name"
  done 4< <(aside_entries "$1")
  while IFS= read -r name <&4; do
    path=$1/$BEFORE/.files/$name
    if [ -e "$1/$name" ] && changed_here "$1/$name" "$name"; then
      keep_beside "$path" "$1/$name"
    else
      mkdir -p "$(dirname "$1/$name")"
      mv -fT "$path" "$1/$name"
    fi
  done 4< <(aside_files "$1")
  if [ "${2:-}" = whole ]; then
    while IFS= read -r name <&4; do
      changed_here "$1/$name" "$name" || rm -f "$1/$name"
    done 4< <(cat "$1/$BEFORE/.added" 2>/dev/null)
    for path in "$1"/* "$1"/.[!.]*; do ! our_link "$path" || rm -f "$path"; done
    rm -f "$1/$COPIED" "$1/$COPYING"
  fi
  rm -f "$1/$BEFORE/.added"
  sweep "$1"
  if [ -n "$(aside_entries "$1"; aside_files "$1")" ]; then
    FAIL_WHY="$1 could not be put back as it was"
    return 1
  fi
  [ "${2:-}" != whole ] || rmdir "$1" 2>/dev/null || true
}

# Projects of the new release that the old one does not have, by whether they had containers before the attempt: NAME US DIRECTORY
arrivals() { # NEW-MANIFEST present|absent
  jq -r --argjson present "$(intent '.present // [] | tojson')" --argjson old "$(intent '.projects.old | tojson')" --arg which "$2" '.projects | to_entries[]
    | select(.key as $p | $old | index($p) | not) | select(.key as $p | ($present | index($p) != null) == ($which == "present")) | "\(.key)\u001f\(.value.directory)"' "$1"
}

# Before the old release converges: directories as they were; projects that ran without any release are nobody's again.
forget_arrivals() { # NEW-MANIFEST OLD-MANIFEST ("" for none) -> 0, or 1 with FAIL_WHY
  local project directory left
  local -a strangers=()
  [ -n "$1" ] || return 0
  while IFS=$'\x1f' read -r project directory <&3; do
    strangers+=("$project")
    restore_directory "$directory" whole || return 1
  done 3< <(arrivals "$1" present)
  if [ ${#strangers[@]} -gt 0 ] && [ -e "$OWNED" ]; then
    left=$(jq -c --args '. - $ARGS.positional' "${strangers[@]}" <"$OWNED")
    durable_write "$OWNED" <<<"$left"
  fi
  [ -z "$2" ] || while IFS= read -r directory <&3; do restore_directory "$directory" || return 1; done 3< <(jq -r '.projects[].directory' "$2")
}

# After it did. Without an old release nobody else takes away what this attempt created.
remove_arrivals() { # NEW-MANIFEST OLD-MANIFEST -> 0, or 1 with FAIL_WHY
  local project directory
  [ -n "$1" ] || return 0
  while IFS=$'\x1f' read -r project directory <&3; do
    # without an engine nothing runs, and none comes back with a system that has none
    if [ -z "$2" ] && ! engine_missing; then
      wait_engine || return 1
      event output "docker compose -p $project down"
      timeout 300 docker compose -p "$project" down --remove-orphans >/dev/null 2>&1 </dev/null || {
        FAIL_WHY="project $project could not be removed"
        return 1
      }
    fi
    restore_directory "$directory" whole || return 1
  done 3< <(arrivals "$1" absent)
  [ -z "$2" ] || return 0
  # its file is gone, so that docker does not ask for it any more
  systemctl stop cockpit-secrets.service >/dev/null 2>&1 || true
  rm -rf "$SECRETS" "$SECRETS.d"/*
  durable_remove "$OWNED"
}
