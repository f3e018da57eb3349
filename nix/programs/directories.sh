# shellcheck shell=bash
# Project directories: stable paths, because compose hashes the strings of paths. Sourced.
# An entry of the release is a symlink (one rename to switch it) or, where a service may write to it, a copy.

# files copied into a directory, so that they can be taken away when the release no longer has them
COPIED=.cockpit-copied

swap_link() { # TARGET LINK
  [ "$(readlink "$2" 2>/dev/null)" = "$1" ] && return
  if [ -d "$2" ] && [ ! -L "$2" ]; then # a copy that is no longer written to
    rm -rf "$2"
  fi
  ln -sfT "$1" "$2.cockpit-new" && mv -fT "$2.cockpit-new" "$2"
}

copy_file() { # FROM TO: by rename; a running file bind keeps the old one
  cmp -s "$1" "$2" && [ ! -L "$2" ] && return
  mkdir -p "$(dirname "$2")"
  cp --no-preserve=all "$1" "$2.cockpit-new"
  if [ -x "$1" ]; then chmod 755 "$2.cockpit-new"; else chmod 644 "$2.cockpit-new"; fi
  mv -fT "$2.cockpit-new" "$2"
}

# All files of an entry, relative to its folder; `.` for a plain file
files_of() { # PATH
  if [ -d "$1" ]; then (cd "$1" && find . \( -type f -o -type l \) -printf '%P\n'); else echo .; fi
}

copy_entry() { # STORE-PATH TARGET
  local file
  [ -L "$2" ] && rm -f "$2"
  while IFS= read -r file; do
    if [ "$file" = . ]; then copy_file "$1" "$2"; else copy_file "$1/$file" "$2/$file"; fi
  done < <(files_of "$1")
}

point_project() { # MANIFEST PROJECT
  local manifest=$1 project=$2 directory name path kind before
  directory=$(jq -r --arg p "$project" '.projects[$p].directory' "$manifest")
  mkdir -p "$directory"
  before=$(cat "$directory/$COPIED" 2>/dev/null || true)
  while IFS=$'\x1f' read -r kind name path; do
    case $kind in
      link) swap_link "$path" "$directory/$name" ;;
      secret) swap_link "$SECRETS/$project/$name" "$directory/$name" ;;
      copy) copy_entry "$path" "$directory/$name" ;;
    esac
  done < <(jq -r --arg p "$project" '.projects[$p] | . as $all
      | ((.entries | to_entries[] | [(if .key as $k | $all.copied | index($k) then "copy" else "link" end), .key, .value]),
         (.encrypted | to_entries[] | ["secret", .key, .value.path])) | join("\u001f")' "$manifest")
  # links of an earlier release that this one does not have
  for path in "$directory"/* "$directory"/.[!.]*; do
    [ -L "$path" ] || continue
    name=${path##*/}
    case $(readlink "$path") in
      /nix/store/*-e-* | "$SECRETS"/*)
        jq -e --arg p "$project" --arg n "$name" '.projects[$p] | (.entries + .encrypted) | has($n) | not' "$manifest" >/dev/null && rm -f "$path"
        ;;
    esac
  done
  jq -r --arg p "$project" '.projects[$p] as $all | $all.copied[] | . as $n | "\($n)\u001f\($all.entries[$n])"' "$manifest" | while IFS=$'\x1f' read -r name path; do
    files_of "$path" | while IFS= read -r file; do
      if [ "$file" = . ]; then printf '%s\n' "$name"; else printf '%s\n' "$name/$file"; fi
    done
  done >"$directory/$COPIED.new"
  # copied files that git no longer has
  while IFS= read -r name; do
    [ -n "$name" ] || continue
    grep -Fxq -- "$name" "$directory/$COPIED.new" || [ -L "$directory/$name" ] || [ -L "$directory/${name%%/*}" ] || rm -f "$directory/$name"
  done <<<"$before"
  if [ -s "$directory/$COPIED.new" ]; then mv -T "$directory/$COPIED.new" "$directory/$COPIED"; else rm -f "$directory/$COPIED.new" "$directory/$COPIED"; fi
}

point_directories() { # MANIFEST
  local project
  while IFS= read -r project; do
    point_project "$1" "$project"
  done < <(jq -r '.projects | keys[]' "$1")
}

# Copied files that were changed on the host since the running release put them there: JSON lines
conflicts() { # OLD-MANIFEST NEW-MANIFEST
  local project name old new directory file here
  while IFS=$'\x1f' read -r project name old new directory; do
    while IFS= read -r file; do
      if [ "$file" = . ]; then file=''; else file=/$file; fi
      here=$directory/$name$file
      [ -e "$here" ] && [ ! -L "$directory/$name" ] || continue
      cmp -s "$here" "$old$file" || cmp -s "$here" "$new$file" || jq -cn --arg p "$project" --arg f "$here" \
        '{exit: 9, what: "project \($p): \($f) was changed on the host", why: "the release would overwrite it", hint: "take the change over into git, or remove the file on the host"}'
    done < <(files_of "$old")
  done < <(jq -rn --slurpfile old "$1" --slurpfile new "$2" '$new[0].projects | to_entries[] | .key as $p | .value as $v | $v.copied[] as $n
      | ($old[0].projects[$p].entries[$n] // empty) as $o | [$p, $n, $o, $v.entries[$n], $v.directory] | join("\u001f")')
}
