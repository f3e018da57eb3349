# shellcheck shell=bash
# Decrypts a manifest's secrets into memory only. Sourced. sops' own error texts may contain plain text: never shown.

# Never swapped, never on a disk: ramfs. Containers bind single files below it, so the folders need no more than x.
mount_memory() {
  mkdir -p "$SECRETS.d"
  mountpoint -q "$SECRETS.d" || mount -t ramfs -o mode=0711,nosuid,nodev,noexec cockpit-secrets "$SECRETS.d"
  chmod 0711 "$SECRETS.d"
}

decrypt() { # MANIFEST STORE-PATH FORMAT [KEY] -> plain bytes on stdout; status of sops
  local identity
  identity=$(jq -r .settings.identity "$1")
  local -a key=(SOPS_AGE_KEY_FILE="$identity")
  if grep -q 'OPENSSH PRIVATE KEY' "$identity" 2>/dev/null; then key=(SOPS_AGE_SSH_PRIVATE_KEY_FILE="$identity"); fi
  if [ -z "${4:-}" ]; then
    env -i PATH="$PATH" HOME=/var/empty "${key[@]}" sops decrypt --input-type "$3" --output-type "$3" --filename-override "secret.$3" "$2" 2>/dev/null
  else
    env -i PATH="$PATH" HOME=/var/empty "${key[@]}" sops decrypt --input-type "$3" --output-type json --filename-override "secret.$3" "$2" 2>/dev/null |
      jq -je --arg key "$4" 'if has($key) then .[$key] else getpath($key | split(".")) end | if . == null then error("no such key") elif type == "string" then . else tojson end' 2>/dev/null
  fi
}

why_not() { # STATUS of sops -> words (facts of sops' exit codes)
  case $1 in
    128) echo "this host's identity is not among the file's recipients" ;;
    51) echo "the file's MAC does not match: it was changed after it was encrypted" ;;
    25) echo "a value in it is damaged, or was written in plain by hand" ;;
    5 | 1) echo "the key is not in the file, or the file is not what sops wrote" ;;
    *) echo "sops ended with status $1" ;;
  esac
}

# Every secret of the manifest, in a new folder that is swapped in whole behind the stable path.
# RENDER_ERRORS=collect gathers problems in RENDER_PROBLEMS (JSON lines) instead of failing; SECRETS_TARGET renders into that
# folder and swaps nothing (for a plan, in a mount namespace of its own).
RENDER_PROBLEMS=''
render_secrets() { # MANIFEST
  local manifest=$1 new project name path format key owner mode target status line old
  if [ -n "${SECRETS_TARGET:-}" ]; then new=$SECRETS_TARGET; else new=$(mktemp -d "$SECRETS.d/$(date +%s).XXXXXX"); fi
  chmod 0711 "$new"
  while IFS=$'\x1f' read -r project name path format key owner mode; do
    mkdir -p -m 0711 "$new/$project"
    target=$new/$project/$name
    status=0
    if [ "$format" = plain ]; then
      status=plain
    else
      (umask 077 && : >"$target")
      decrypt "$manifest" "$path" "$format" "$key" >"$target" || status=$?
    fi
    if [ "$status" != 0 ]; then
      rm -f "$target"
      if [ "$status" = plain ]; then
        line=$(jq -cn --arg p "$project" --arg n "$name" '{exit: 8, what: "secret \($p)/\($n) is plain text", why: "its file in git is not encrypted by sops", hint: "sops encrypt -i FILE, commit, and replace the value: it is in the history"}')
      else
        line=$(jq -cn --arg p "$project" --arg n "$name" --arg why "$(why_not "$status")" '{exit: 8, what: "secret \($p)/\($n) cannot be decrypted", $why, hint: "add the host as a recipient (sops updatekeys), or mend the file"}')
      fi
      if [ "${RENDER_ERRORS:-}" = collect ]; then
        RENDER_PROBLEMS+=$line$'\n'
        continue
      fi
      rm -rf "$new"
      say "$(jq -r '"\(.what): \(.why)"' <<<"$line")"
      return 8
    fi
    chown "$owner" "$target" && chmod "$mode" "$target"
  done < <(jq -r '.projects | to_entries[] | .key as $p
      | ((.value.secrets | to_entries[] | [$p, .key, .value.path, .value.format, .value.key // "", .value.owner, .value.mode]),
         (.value.encrypted | to_entries[] | [$p, .key, .value.path, .value.format, "", "0:0", "0400"])) | join("\u001f")' "$manifest")
  [ -z "${SECRETS_TARGET:-}" ] || return 0
  old=$(readlink "$SECRETS" 2>/dev/null || true)
  ln -sT "$new" "$SECRETS.new" && mv -T "$SECRETS.new" "$SECRETS"
  # what a running container has bound keeps its content until the container goes
  for line in "$SECRETS.d"/*/; do
    [ "${line%/}" = "$new" ] || rm -rf "${line%/}"
  done
  [ -z "$old" ] || [ "$old" = "$new" ] || rm -rf "$old"
}
