# shellcheck shell=bash
# The host's part of a plan: what a closure would change. Changes nothing that runs or is pointed at. Sourced.

# What the transaction compares again under its lock: closure, profile, boot default, containers.
base_hash() { # projects on stdin
  local project
  {
    running_closure
    readlink "$PROFILE" || true
    boot_default
    docker ps -a --no-trunc --filter label=com.docker.compose.project --format '{{.Label "com.docker.compose.project"}} {{.Names}} {{.ID}}' 2>/dev/null | sort >"$RUNTIME/base.$BASHPID" || true
    while IFS= read -r project; do
      [ -z "$project" ] || grep "^$project " "$RUNTIME/base.$BASHPID" || true
    done
    rm -f "$RUNTIME/base.$BASHPID"
  } | sha256sum | cut -c 1-32
}

# An attempt that ended nowhere is tried again and again, which changes containers. Who goes over it goes from its old release,
# whatever runs: that is the base.
base_over() { # RUN of the open attempt
  local open
  open=$(open_attempt)
  [ "${open#*-}" = "$1" ] || return 1
  printf 'over %s' "$open" | sha256sum | cut -c 1-32
}

base_projects() { # MANIFEST... -> names, sorted
  { owned_projects; for m in "$@"; do [ -z "$m" ] || jq -r '.projects | keys[]' "$m"; done; } | sort -u
}

units_of() { # STDERR of dry-activate -> {"stop": [], ...}
  jq -Rcn '[inputs | capture("^would (?<verb>stop|restart|reload|start) the following units: (?<units>.*)$") | {(.verb): (.units | split(", ") | map(ltrimstr(" ") | rtrimstr(" ")))}]
    | add // {} | {stop: (.stop // []), restart: (.restart // []), reload: (.reload // []), start: (.start // [])}' "$1"
}

same_kernel() { # CLOSURE CLOSURE
  local part
  for part in kernel initrd kernel-modules; do
    [ "$(readlink -e "$1/$part")" = "$(readlink -e "$2/$part")" ] || return 1
  done
}

kernel_of() { # CLOSURE -> version
  local v
  for v in "$1"/kernel-modules/lib/modules/*/; do
    [ -d "$v" ] && basename "$v" && return
  done
  echo unknown
}

# Stages the new release's directories and secrets in a mount namespace of its own and looks at it from there, at the paths that
# compose hashes. Nothing outside sees them.
staged_changes() { # NEW-MANIFEST OLD-MANIFEST ("" for none): JSON lines {service...} {secret: ...} {problem: ...} {warning: ...}
  local manifest=$1 old=$2 project directory name here line
  local -a projects
  load_taken "$COCKPIT_REQUEST"
  mount -t tmpfs -o mode=0700 stage "$RUNTIME/stage"
  mkdir -p "$RUNTIME/stage/secrets" "$RUNTIME/stage/own"
  mount --bind "$SECRETS.d" "$RUNTIME/stage/secrets"
  local before
  before=$RUNTIME/stage/secrets/$(basename "$(readlink "$SECRETS" 2>/dev/null || echo none)")
  mount -t ramfs -o mode=0711 cockpit-secrets "$SECRETS.d"
  # the stable path is a link in /run, which must not move: the folder that it names is made anew in here
  local target
  target=$(readlink "$SECRETS")
  mkdir -p "$target"
  RENDER_ERRORS=collect SECRETS_TARGET=$target
  render_secrets "$manifest"
  [ -z "$RENDER_PROBLEMS" ] || while IFS= read -r line; do [ -z "$line" ] || jq -c '{problem: .}' <<<"$line"; done <<<"$RENDER_PROBLEMS"
  while IFS=$'\x1f' read -r project name; do
    line=same
    if [ ! -e "$before/$project/$name" ]; then
      line=new
    elif ! cmp -s "$before/$project/$name" "$SECRETS/$project/$name"; then
      line=changed
    fi
    jq -cn --arg p "$project" --arg n "$name" --arg c "$line" '{secret: {project: $p, name: $n, change: $c}}'
  done < <(secret_names "$manifest")
  if [ -n "$old" ]; then
    comm -23 <(secret_names "$old" | sort) <(secret_names "$manifest" | sort) | while IFS=$'\x1f' read -r project name; do
      jq -cn --arg p "$project" --arg n "$name" '{secret: {project: $p, name: $n, change: "removed"}}'
    done
  fi
  while IFS= read -r project; do
    directory=$(jq -r --arg p "$project" '.projects[$p].directory' "$manifest")
    mkdir -p "$RUNTIME/stage/own/$project"
    mkdir -p "$directory"
    mount --bind "$directory" "$RUNTIME/stage/own/$project"
    mount -t tmpfs stage "$directory"
    for here in "$RUNTIME/stage/own/$project"/* "$RUNTIME/stage/own/$project"/.[!.]*; do
      # a link of the host's own is read from where it is
      if [ -L "$here" ]; then
        our_link "$here" || cp -dT "$here" "$directory/${here##*/}"
      elif [ -e "$here" ]; then
        ln -s "$here" "$directory/${here##*/}"
      fi
    done
    own_files "$manifest" "$project" "$directory" "$RUNTIME/stage/own/$project"
    jq -r --arg p "$project" '.projects[$p].copied[]' "$manifest" | while IFS= read -r name; do rm -f "$directory/${name:?}"; done
    STAGE_OWN=$RUNTIME/stage/own/$project point_project "$manifest" "$project" 2>/dev/null
  done < <(jq -r '.projects | keys_unsorted[]' "$manifest")
  mapfile -t projects < <(jq -r '.projects | keys_unsorted[]' "$manifest")
  if engine_missing; then
    jq -c '.projects | to_entries[] | .key as $project | .value.services | to_entries[] | {$project, service: .key, change: "create", why: "new", old_image: null, new_image: .value.image}' "$manifest"
  else
    changes_of "$manifest" "${projects[@]}"
  fi
}

engine_missing() { ! systemctl cat docker.service >/dev/null 2>&1; }

# Files of the host's own where the release puts a link: JSON lines {problem} and {warning}. Plain text beside a secret goes only
# where it says what the secret says.
own_files() { # MANIFEST PROJECT DIRECTORY OWN
  local kind name path
  while IFS=$'\x1f' read -r kind name path; do
    if [ -L "$4/$name" ]; then
      our_link "$4/$name" || jq -cn --arg p "$2" --arg f "$3/$name" '{warning: "project \($p): \($f) is a link of the host'"'"'s own; it is kept beside the release'"'"'s as '"$KEPT"'"}'
      continue
    fi
    if [ ! -e "$4/$name" ] || only_copies "$4/$name" "$name"; then continue; fi
    if [ "$kind" = link ]; then
      same_content "$4/$name" "$path" ||
        jq -cn --arg p "$2" --arg f "$3/$name" '{warning: "project \($p): \($f) is not as git has it; what is there is kept beside it as '"$KEPT"'"}'
    elif [ -e "$SECRETS/$2/$name" ] && ! cmp -s "$SECRETS/$2/$name" "$4/$name"; then
      jq -cn --arg p "$2" --arg f "$3/$name" --argjson request "$COCKPIT_REQUEST" '
        if $request.kind == "rollback" or ($request.take.git // [] | index($f) or index("all")) then
          {warning: "project \($p): \($f) does not say what its encrypted file says; it is kept beside it as '"$KEPT"', in plain text"}
        else {problem: {exit: 9, what: "project \($p): \($f) is plain text, and does not say what its encrypted file in git says",
          why: "one of them is out of date", hint: "encrypt the right one anew and commit; or --take git \($f) (the plain one is kept beside it)"}} end'
    else
      jq -cn --arg p "$2" --arg f "$3/$name" '{warning: "project \($p): \($f) is plain text on the disk; it gives way to the encrypted one, which says the same"}'
    fi
  done < <(jq -r --arg p "$2" '.projects[$p] | . as $all | ((.entries | to_entries[] | select(.key as $k | $all.copied | index($k) | not) | ["link", .key, .value]),
      (.encrypted | to_entries[] | ["secret", .key, .value.path])) | join("\u001f")' "$1")
}

# Projects of the release that run already and that no release brought. One from another folder is somebody else's until a person
# says otherwise; at first contact nothing that runs is touched either. JSON lines {problem} and {warning}; containers on stdin.
strangers() { # MANIFEST OWNED LINES REQUEST
  jq -cn --slurpfile m "$1" --argjson owned "$2" --slurpfile lines "$3" --argjson request "$4" '
    [inputs | select(.project as $p | ($m[0].projects | has($p)) and ($owned | index($p) | not))] | group_by(.project)[]
    | .[0].project as $p | $m[0].projects[$p].directory as $d
    | ([.[].dir | rtrimstr("/") | select(. != "" and . != $d)] | unique) as $elsewhere
    | [$lines[] | select(.service? and .project == $p and (.change == "recreate" or .change == "remove")) | "\(.service) (\(.change): \(.why))"] as $touched
    | if ($elsewhere | length) > 0 then
        if $request.take_over then {warning: "project \($p) runs from \($elsewhere | join(", ")) and is taken over to \($d): data in the old folder stays there"}
        else {problem: {exit: 9, what: "a project \($p) runs already, from \($elsewhere | join(", "))", why: "the release has it in \($d), where relative mounts would find other data",
          hint: (if $request.kind == "bootstrap" then "directory: \($elsewhere[0]) for project \($p) in cockpit.yaml keeps it as it is; --take-over moves it" else "directory: \($elsewhere[0]) for project \($p) in cockpit.yaml, or take it down first: docker compose -p \($p) down" end)}} end
      elif $request.kind == "bootstrap" and ($touched | length) > 0 then
        if $request.take_over then {warning: "project \($p): \($touched | join(", ")); going back would not bring these containers back"}
        else {problem: {exit: 9, what: "project \($p) does not run as this commit has it: \($touched | join(", "))", why: "first contact changes nothing that runs",
          hint: "commit what runs and deploy the change afterwards; or --take-over"}} end
      else empty end'
}

secret_names() { # MANIFEST -> PROJECT US NAME
  [ -z "$1" ] || jq -r '.projects | to_entries[] | .key as $p | ((.value.secrets, .value.encrypted) | keys[]) | "\($p)\u001f\(.)"' "$1"
}

removed_projects() { # NEW-MANIFEST: JSON lines of services of owned projects that it does not have
  local -a gone
  mapfile -t gone < <(owned_projects | jq -Rr --slurpfile m "$1" 'select(. as $p | $m[0].projects | has($p) | not)')
  [ ${#gone[@]} -eq 0 ] || containers_of "${gone[@]}" | jq -c '{project, service, change: "remove", why: "project is no longer in the release", old_image: .ref, new_image: null}'
}

advice() { # NEW-MANIFEST: JSON lines {problem} and {warning} that follow from the manifest alone
  jq -c '.projects | to_entries[] | .key as $p | .value as $v
    | (if $v.pinned then empty else {warning: "project \($p): images are not pinned (no compose.lock.yaml); its old image is kept under a tag"} end),
      ($v.services | to_entries[] | .key as $s | .value as $sv
        | ([$sv.env_files[] | select(. as $f | $v.encrypted | has($f))] as $files
          | ($sv.plain_secrets + ($sv.interpolated // []) | unique) as $names
          | if ($files | length) > 0 or ($names | length) > 0 then
              ("\($p)/\($s): \(if ($names | length) > 0 then "environment " + ($names | join(", ")) else "env_file " + ($files | join(", ")) end)") as $what
              | if $v.env_secrets == "allow" then {warning: "\($what) reaches the disk inside dockerd (env_secrets: allow)"}
                else {problem: {exit: 9, what: "a secret in the environment: \($what)", why: "dockerd writes it to its disk in plain text", hint: "use secrets: with the image'"'"'s _FILE form, or set env_secrets: allow for project \($p)"}} end
            else empty end),
          ($sv.ports_open[] | {warning: "\($p)/\($s): port \(.) is published on every address; docker passes the firewall"}))' "$1"
}

# Answer of the verb `check`. Its request is on standard input.
check() {
  local request closure generation kind over new old new_manifest old_manifest dry status=0 work owned space
  request=$(head -c 1000000)
  kind=$(jq -r '.kind // "deploy"' <<<"$request")
  over=$(jq -r '.over // empty' <<<"$request")
  closure=$(jq -r '.closure // empty' <<<"$request")
  generation=$(jq -r '.generation // empty' <<<"$request")
  if [ -n "$generation" ] && [ -z "$closure" ]; then
    closure=$(generation_closure "$generation") && [ -e "$closure" ] || fail 9 "there is no generation $generation" "" "cockpit status lists them"
  fi
  case $closure in
    /nix/store/*) ;;
    *) fail 2 "no closure to check" "'$closure' is no store path" ;;
  esac
  [ -x "$closure/bin/switch-to-configuration" ] || fail 4 "$closure is no system" "it has no bin/switch-to-configuration"
  new=$closure
  old=$(running_closure)
  new_manifest=$(manifest_of "$new")
  old_manifest=$(manifest_of "$old")
  work=$(mktemp -d "$RUNTIME/check.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  : >"$work/lines"

  if [ "$new" != "$old" ]; then
    timeout 120 "$new/bin/switch-to-configuration" dry-activate >"$work/dry" 2>&1 </dev/null || status=$?
  else
    : >"$work/dry"
  fi
  dry=$(units_of "$work/dry")
  case $status in
    0) ;;
    100) jq -cn '{problem: {exit: 9, what: "the release needs a reboot to be activated", why: "it changes the init interface (100)", hint: "nixos-rebuild boot and reboot the host"}}' >>"$work/lines" ;;
    *) jq -cn --arg s "$status" --arg o "$(tail -n 2 "$work/dry" | tr '\n' ' ')" '{problem: {exit: 9, what: "the new system refuses a trial activation (\($s))", why: $o, hint: "switch-to-configuration dry-activate on the host shows all of it"}}' >>"$work/lines" ;;
  esac
  space=$(df -B1 --output=avail /nix/store | tail -n 1)
  [ "$space" -ge $((64 * 1024 * 1024)) ] || jq -cn --arg s "$space" '{problem: {exit: 9, what: "too little space on /nix/store", why: "\($s) bytes are free, 64 MiB are the least", hint: "nix-collect-garbage, or a bigger disk"}}' >>"$work/lines"
  if [ -e "$new/switch-inhibitors" ] && [ -e "$old/switch-inhibitors" ] && ! cmp -s "$new/switch-inhibitors" "$old/switch-inhibitors"; then
    jq -c '{problem: {exit: 9, what: "the release must not be switched to while the host runs", why: "switch inhibitors changed: \(keys | join(", "))", hint: "nixos-rebuild boot and reboot the host"}}' "$new/switch-inhibitors" >>"$work/lines"
  fi

  if [ -n "$new_manifest" ]; then
    advice "$new_manifest" >>"$work/lines"
    load_taken "$request"
    conflicts "$new_manifest" | jq -c --arg kind "$kind" --argjson take "$(jq -c '.take.git // []' <<<"$request")" '
      if $kind == "rollback" or (.path as $p | $take | index($p) or index("all")) then
        {warning: "project \(.project): \(.path) was changed on the host; its content is kept beside it as '"$KEPT"'"}
      else {problem: {exit: 9, what: "project \(.project): \(.path) was changed on the host", why: "the release has something new for it, too",
        hint: "take the change over into git; or --take git \(.path) (the host'"'"'s is kept beside it), or --take host \(.path)"}} end' >>"$work/lines"
    if engine_missing || docker ps -q --filter name=cockpit-none >/dev/null 2>&1; then
      exec 9>"$RUNTIME/check.lock"
      flock -w 120 9 || fail 7 "another plan is being made on this host"
      if [ ! -L "$SECRETS" ]; then
        mount_memory
        mkdir -p -m 0711 "$SECRETS.d/none"
        ln -sT "$SECRETS.d/none" "$SECRETS"
      fi
      mkdir -p "$RUNTIME/stage"
      COCKPIT_STAGED=1 COCKPIT_REQUEST=$request unshare -m --propagation private "$COCKPIT_SELF/cockpit-transaction" staged "$new_manifest" "$old_manifest" >>"$work/lines" || fail 1 "the plan could not be staged" "$(tail -n 2 "$work/lines")"
      # mount points of projects that are new
      jq -r '.projects[].directory' "$new_manifest" | while IFS= read -r directory; do rmdir "$directory" 2>/dev/null || true; done
      if engine_missing; then
        jq -cn '{warning: "the host has no container engine yet: the release brings it"}' >>"$work/lines"
      else
        # a host without cockpit has no projects of ours, whatever an earlier one wrote down
        owned='[]'
        if [ -n "$old_manifest" ] || [ -n "$over" ]; then
          owned=$(owned_projects | jq -Rnc '[inputs]')
          removed_projects "$new_manifest" >>"$work/lines"
        fi
        containers | strangers "$new_manifest" "$owned" "$work/lines" "$request" >"$work/strangers"
        cat "$work/strangers" >>"$work/lines"
      fi
    else
      jq -cn '{problem: {exit: 9, what: "the container engine does not answer", why: "docker info failed", hint: "systemctl status docker"}}' >>"$work/lines"
    fi
  else
    jq -cn '{warning: "the release has no cockpit: operating system only; services are not touched, and recovery at boot is missing"}' >>"$work/lines"
  fi

  if [ -n "$over" ]; then
    base_over "$over" >"$work/base" || fail 9 "run $over is not open any more" "it was ended meanwhile" "plan again"
  else
    base_projects "$new_manifest" "$old_manifest" | base_hash >"$work/base"
  fi
  jq -cn --slurpfile lines "$work/lines" --arg base "$(cat "$work/base")" --arg over "$over" --argjson units "$dry" \
    --arg old "$old" --arg new "$new" --arg og "$(closure_generation "$old")" --arg ng "${generation:-}" --arg oc "$(closure_commit "$old")" --arg nc "$(closure_commit "$new")" \
    --argjson reboot "$(same_kernel "$(readlink -f /run/booted-system)" "$new" && echo null || jq -cn --arg a "$(kernel_of "$(readlink -f /run/booted-system)")" --arg b "$(kernel_of "$new")" '[$a, $b]')" \
    --arg profile "$(readlink -f "$PROFILE")" --arg default "$(boot_default)" '
    def null_if_empty: if . == "" then null else . end;
    [$lines[] | select(.service)] as $services | [$lines[] | .problem // empty] as $problems
    | {schema: 1, $base, $units,
       old: {closure: $old, generation: ($og | null_if_empty | if . then tonumber else . end), commit: ($oc | null_if_empty)},
       new: {closure: $new, generation: ($ng | null_if_empty | if . then tonumber else . end), commit: ($nc | null_if_empty)},
       $reboot, inhibitors: [], services: $services, secrets: [$lines[] | .secret // empty],
       warnings: [$lines[] | .warning // empty], $problems,
       nothing_to_do: ($over == "" and $old == $new and $profile == $new and ($default == "" or $default == $new) and all($services[]; .change == "keep") and ($problems | length) == 0)}'
}
