# shellcheck shell=bash
# Project directories: stable paths, because compose hashes the strings of paths. Sourced.
# An entry of the release is a symlink (one rename to switch it) or, where a service may write to it, a copy.

# What was copied into a directory, one line a file: NAME US STORE-PATH. So it can be taken away when the release no longer has it,
# and a file that somebody changed on the host is told from one that is only old.
COPIED=.cockpit-copied
# The same of a release that comes, on disk before its first copy, and gone after the last one: what an interrupted release left is
# no change of the host's.
COPYING=.cockpit-copying

# Files that `--take host` leaves as they are on the host, by absolute path: of the open attempt, or of the plan that is being made.
declare -A TAKEN=()
load_taken() { # JSON with .take.host
  local path
  while IFS= read -r path; do [ -z "$path" ] || TAKEN[$path]=1; done < <(jq -r '.take.host[]? // empty' <<<"$1")
}

declare -A LAST=() CAME=()
load_copied() { # DIRECTORY -> LAST: name -> the store path that it was copied from; CAME: all that it may have been copied from
  local name path
  LAST=() CAME=()
  while IFS=$'\x1f' read -r name path; do [ -z "$name" ] || LAST[$name]=$path CAME[$name]=$path; done < <(cat "$1/$COPIED" 2>/dev/null || true)
  while IFS=$'\x1f' read -r name path; do [ -z "$name" ] || CAME[$name]+=$'\n'$path; done < <(cat "$1/$COPYING" 2>/dev/null || true)
}

changed_here() { # FILE NAME: it is not what a release put there
  local path
  [ -f "$1" ] && [ ! -L "$1" ] || return 1
  while IFS= read -r path; do [ -z "$path" ] || ! cmp -s "$path" "$1" || return 1; done <<<"${CAME[$2]:-}"
}

stays() { # STORE-PATH FILE NAME PATH: the file on the host is as the release wants it, or is left to the host
  [ -f "$2" ] && [ ! -L "$2" ] || return 1
  cmp -s "$1" "$2" && return 0
  changed_here "$2" "$3" || return 1
  # the release has nothing new for it since it was copied: what changed it here may keep its change
  [ "${LAST[$3]:-}" = "$1" ] || [ -n "${TAKEN[$4]:-}" ] || [ -n "${TAKEN[all]:-}" ]
}

swap_link() { # TARGET LINK
  [ "$(readlink "$2" 2>/dev/null)" = "$1" ] && return
  if [ -L "$2" ]; then
    give_way "$2"
  elif [ -e "$2" ]; then
    if only_copies "$2" "${2##*/}"; then rm -rf "$2"; else put_aside "${2%/*}" "${2##*/}"; fi
  fi
  ln -sfT "$1" "$2.cockpit-new" && mv -fT "$2.cockpit-new" "$2"
}

give_way() { # LINK: the host's own is put aside like a file; a plan's stage has links to everything
  [ -n "${STAGE_OWN:-}" ] || our_link "$1" || put_aside "${1%/*}" "${1##*/}"
}

only_copies() { # PATH NAME: all of it came from a release
  local file name
  while IFS= read -r file; do
    if [ "$file" = . ]; then name=$2 file=$1; else name=$2/$file file=$1/$file; fi
    if changed_here "$file" "$name" || [ -L "$file" ]; then return 1; fi
  done < <(files_of "$1")
}

copy_file() { # FROM TO NAME PATH: by rename; a running file bind keeps the old one
  local here=$2
  # a plan copies into a stage, beside what the host has
  [ -z "${STAGE_OWN:-}" ] || here=$STAGE_OWN/$3
  if stays "$1" "$here" "$3" "$4"; then
    [ "$here" != "$2" ] || return 0
    set -- "$here" "$2" "$3" "$4"
  elif [ "$here" = "$2" ]; then
    if [ -L "$2" ]; then
      put_aside "${2%/"$3"}" "$3"
    elif [ ! -e "$2" ]; then
      note_added "${2%/"$3"}" "$3"
    elif changed_here "$2" "$3"; then
      put_aside "${2%/"$3"}" "$3"
    fi
  fi
  mkdir -p "$(dirname "$2")"
  cp --no-preserve=all "$1" "$2.cockpit-new"
  if [ -x "$1" ]; then chmod 755 "$2.cockpit-new"; else chmod 644 "$2.cockpit-new"; fi
  # an empty one after a power cut would be taken for a change of the host's
  sync "$2.cockpit-new"
  mv -fT "$2.cockpit-new" "$2"
}

# All files of an entry, relative to its folder; `.` for a plain file
files_of() { # PATH
  if [ -d "$1" ] && [ ! -L "$1" ]; then (cd "$1" && find . \( -type f -o -type l \) -printf '%P\n'); else echo .; fi
}

copy_entry() { # STORE-PATH TARGET NAME PATH
  local file
  if [ -L "$2" ]; then
    give_way "$2"
    rm -f "$2"
  fi
  while IFS= read -r file; do
    if [ "$file" = . ]; then copy_file "$1" "$2" "$3" "$4"; else copy_file "$1/$file" "$2/$file" "$3/$file" "$4/$file"; fi
  done < <(files_of "$1")
}

copied_files() { # MANIFEST PROJECT -> lines NAME US STORE-PATH, of all files that this release copies
  local name path file
  jq -r --arg p "$2" '.projects[$p] as $all | $all.copied[] | . as $n | "\($n)\u001f\($all.entries[$n])"' "$1" | while IFS=$'\x1f' read -r name path; do
    files_of "$path" | while IFS= read -r file; do
      if [ "$file" = . ]; then printf '%s\x1f%s\n' "$name" "$path"; else printf '%s\x1f%s\n' "$name/$file" "$path/$file"; fi
    done
  done
}

point_project() { # MANIFEST PROJECT
  local manifest=$1 project=$2 directory name path kind list
  local -A wanted=()
  directory=$(jq -r --arg p "$project" '.projects[$p].directory' "$manifest")
  mkdir -p "$directory"
  load_copied "$directory"
  list=$(copied_files "$manifest" "$project")
  [ -n "${STAGE_OWN:-}" ] || begin_copying "$directory" "$list"
  while IFS=$'\x1f' read -r kind name path; do
    wanted[$name]=1
    case $kind in
      link) swap_link "$path" "$directory/$name" ;;
      secret) swap_link "$SECRETS/$project/$name" "$directory/$name" ;;
      copy) copy_entry "$path" "$directory/$name" "$name" "$directory/$name" ;;
    esac
  done < <(jq -r --arg p "$project" '.projects[$p] | . as $all
      | ((.entries | to_entries[] | [(if .key as $k | $all.copied | index($k) then "copy" else "link" end), .key, .value]),
         (.encrypted | to_entries[] | ["secret", .key, .value.path])) | join("\u001f")' "$manifest")
  # links of an earlier release that this one does not have
  for path in "$directory"/* "$directory"/.[!.]*; do
    our_link "$path" || continue
    name=${path##*/}
    [ -n "${wanted[$name]:-}" ] || rm -f "$path"
  done
  local -A now=()
  while IFS=$'\x1f' read -r name path; do [ -z "$name" ] || now[$name]=$path; done <<<"$list"
  # copied files that git no longer has
  for name in "${!CAME[@]}"; do
    [ -z "${now[$name]:-}" ] || continue
    { [ -f "$directory/$name" ] && [ ! -L "$directory/$name" ] && [ ! -L "$directory/${name%%/*}" ]; } || continue
    if changed_here "$directory/$name" "$name"; then put_aside "$directory" "$name"; else rm -f "$directory/$name"; fi
  done
  # a plan touches nothing, and an attempt may yet go back
  [ -z "${STAGE_OWN:-}" ] || return 0
  if [ -z "$list" ]; then
    rm -f "$directory/$COPIED"
  elif [ "$list" != "$(cat "$directory/$COPIED" 2>/dev/null)" ]; then
    durable_write "$directory/$COPIED" <<<"$list"
  fi
  rm -f "$directory/$COPYING"
  [ -n "$(open_attempt)" ] || settle_directory "$directory"
}

begin_copying() { # DIRECTORY LIST
  clear_unfinished "$1"
  [ "$2" != "$(cat "$1/$COPIED" 2>/dev/null)" ] || return 0
  printf '%s\n' "$2" >>"$1/$COPYING"
  sync "$1/$COPYING" "$1"
}

clear_unfinished() { # DIRECTORY: what was being written when something was cut off
  local path name
  for path in "$1"/*.cockpit-new "$1"/.[!.]*.cockpit-new "$1/$COPIED.tmp"; do
    if [ -e "$path" ] || [ -L "$path" ]; then rm -rf "$path"; fi
  done
  while IFS=$'\x1f' read -r name path; do [ -z "$name" ] || rm -f "$1/$name.cockpit-new"; done < <(cat "$1/$COPYING" 2>/dev/null || true)
}

point_directories() { # MANIFEST
  local project
  while IFS= read -r project; do
    point_project "$1" "$project"
  done < <(jq -r '.projects | keys[]' "$1")
}

# Files that were changed on the host and that the release has something new for: JSON lines {path, project}
conflicts() { # NEW-MANIFEST
  local project directory name path
  while IFS=$'\x1f' read -r project directory; do
    load_copied "$directory"
    while IFS=$'\x1f' read -r name path; do
      stays "$path" "$directory/$name" "$name" "$directory/$name" || ! changed_here "$directory/$name" "$name" || [ -L "$directory/${name%%/*}" ] ||
        jq -cn --arg project "$project" --arg path "$directory/$name" '{$project, $path}'
    done < <(copied_files "$1" "$project")
  done < <(jq -r '.projects | to_entries[] | "\(.key)\u001f\(.value.directory)"' "$1")
}
