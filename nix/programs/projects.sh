# shellcheck shell=bash
# Compose projects: what differs between a manifest and what runs, and making it so. Sourced.

# Told while it works; the supervisor replaces it by events.
note() { say "$2"; } # EVENT TEXT [SECONDS-LEFT]

COMPOSE_ARGS=()
compose_args() { # MANIFEST PROJECT -> COMPOSE_ARGS
  local directory
  local -a all
  mapfile -t all < <(jq -r --arg p "$2" '.projects[$p] | .directory, .compose[]' "$1")
  directory=${all[0]}
  COMPOSE_ARGS=(-p "$2" --project-directory "$directory")
  for file in "${all[@]:1}"; do COMPOSE_ARGS+=(-f "$directory/$file"); done
}

# Whether what a running container has mounted is not what the path holds now. Sources in the store are compared by name; copies,
# secrets, and what ran before there was a release by content, read in place: a container that restarted by its policy has the same
# id and new content.
mount_differs() { # PID DESTINATION SOURCE
  local real root
  real=$(readlink -f "$3" 2>/dev/null) || return 0
  case $real in
    /nix/store/*)
      root=$(awk -v d="$2" '$5 == d { r = $4 } END { print r }' "/proc/$1/mountinfo" 2>/dev/null)
      case $root in
        */store/*) [ "${root##*/store/}" != "${real##*/store/}" ] ;;
        *) ! same_content "/proc/$1/root$2" "$real" ;;
      esac
      ;;
    *)
      [ -f "$real" ] || return 1
      ! cmp -s "/proc/$1/root$2" "$real"
      ;;
  esac
}

# What compose wants, of several projects at once: FOLDER/PROJECT.hashes, or FOLDER/PROJECT.error
compose_hashes() { # MANIFEST FOLDER PROJECT...
  local manifest=$1 folder=$2 project file
  shift 2
  for project in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n || true; done
    compose_args "$manifest" "$project"
    file=$folder/$project
    { timeout 60 docker compose "${COMPOSE_ARGS[@]}" config --hash '*' >"$file.hashes" 2>"$file.stderr" </dev/null || mv "$file.stderr" "$file.error"; } &
  done
  wait
}

# Images of these projects' services: as the manifest has them; where a variable is in the name, compose is asked.
images_of() { # MANIFEST PROJECT... -> {"PROJECT": {"SERVICE": "REF"}}
  local manifest=$1 project all
  shift
  all=$(jq -cn --slurpfile m "$manifest" --args '$m[0].projects | with_entries(select(.key as $p | $ARGS.positional | index($p))) | map_values(.services | map_values(.image // ""))' "$@")
  while IFS= read -r project <&3; do
    compose_args "$manifest" "$project"
    all=$(timeout 60 docker compose "${COMPOSE_ARGS[@]}" config --format json 2>/dev/null </dev/null | jq -c --arg p "$project" --argjson all "$all" '$all + {($p): (.services | map_values(.image // ""))}') || true
  done 3< <(jq -r 'to_entries[] | select(any(.value[]; contains("$"))) | .key' <<<"$all")
  printf '%s\n' "$all"
}

# What `up` has to do for these projects: JSON lines {project, service, change, why, old_image, new_image}.
# Reads the directories and secrets as they are in this mount namespace: the plan looks at staged ones.
changes_of() { # MANIFEST PROJECT...
  local manifest=$1 folder project service pid destination source directory images ids
  local -a readable=()
  declare -A stale=()
  shift
  [ $# -gt 0 ] || return 0
  folder=$(mktemp -d "$RUNTIME/changes.XXXXXX")
  compose_hashes "$manifest" "$folder" "$@"
  for project in "$@"; do
    if [ -e "$folder/$project.error" ]; then
      jq -cn --arg p "$project" --arg why "$(tail -n 3 "$folder/$project.error" | tr '\n' ' ')" '{project: $p, problem: {exit: 4, what: "compose cannot read project \($p)", $why, hint: "docker compose config shows it; mend the compose file"}}'
    else
      readable+=("$project")
    fi
  done
  if [ ${#readable[@]} -gt 0 ]; then
    containers_of "${readable[@]}" >"$folder/containers"
    images=$(images_of "$manifest" "${readable[@]}")
    ids=$(jq -r '.[][]' <<<"$images" | image_ids)
    while IFS=$'\x1f' read -r project service pid directory destination source; do
      [ -z "${stale[$project/$service]:-}" ] || continue
      if mount_differs "$pid" "$destination" "$source"; then
        case $source in
          "$SECRETS"/*) stale[$project/$service]="secret ${source##*/}" ;;
          *) stale[$project/$service]="mount ${source#"$directory"/}" ;;
        esac
      fi
    done < <(jq -r --arg s "$SECRETS/" --slurpfile m "$manifest" 'select(.pid > 0) | . as $c | $m[0].projects[.project].directory as $d
        | .binds[] | select((.from + "/" | startswith($d + "/")) or (.from | startswith($s))) | [$c.project, $c.service, ($c.pid | tostring), $d, .to, .from] | join("\u001f")' "$folder/containers")
    for project in "${readable[@]}"; do sed "s/^/$project /" "$folder/$project.hashes"; done >"$folder/hashes"
    for service in "${!stale[@]}"; do printf '%s\x1f%s\n' "$service" "${stale[$service]}"; done >"$folder/stale"
    jq -cn --rawfile hashes "$folder/hashes" --rawfile stale "$folder/stale" --slurpfile containers "$folder/containers" --argjson images "$images" --argjson ids "$ids" '
      def name: "\(.project)/\(.service)";
      ($stale | split("\n") | map(select(. != "") | split("\u001f") | {(.[0]): .[1]}) | add // {}) as $stale
      | ($hashes | split("\n") | map(select(. != "") | split(" ") | {("\(.[0])/\(.[1])"): .[2]}) | add // {}) as $want
      | ($containers | group_by(name) | map({(.[0] | name): .}) | add // {}) as $have
      | (($want | keys) + ($have | keys) | unique)[] as $n
      | ($n | split("/")) as [$p, $s]
      | ($have[$n] // []) as $c
      | ($images[$p][$s] // null) as $image
      | ($c[0].ref // null) as $old
      | {project: $p, service: $s, old_image: $old, new_image: $image} + (
          if $want[$n] == null then {change: "remove", why: "no longer in the release", new_image: null}
          elif ($c | length) == 0 then {change: "create", why: "new"}
          elif any($c[]; .hash != $want[$n]) then {change: "recreate", why: (if $old != $image then "image" else "config" end)}
          elif $ids[$image] != null and any($c[]; .image != $ids[$image]) then {change: "recreate", why: "image"}
          elif $stale[$n] then {change: "recreate", why: $stale[$n]}
          # never just started again: an engine that died may keep the old one half alive ("task must be stopped before deletion")
          elif any($c[]; .state == "running" or (.state == "exited" and .exit == 0 and .once) | not)
          then {change: "recreate", why: (if any($c[]; .state == "restarting") then "it restarts again and again" else "not running" end)}
          else {change: "keep", why: ""} end)'
  fi
  rm -rf "$folder"
}

compose_up() { # LABEL ARGS...: output lines are told
  local label=$1 line
  shift
  note output "docker compose -p $label up"
  set -o pipefail
  timeout 600 docker compose --ansi never --progress plain "$@" 2>&1 </dev/null | tail -c 200000 | {
    local last=''
    while IFS= read -r line; do
      # compose says most things twice
      [ "$line" = "$last" ] || note output "${line:0:400}"
      last=$line
    done
    true
  }
}

project_up() { # MANIFEST PROJECT CHANGES -> 0, or 1 with CONVERGE_WHY
  local manifest=$1 project=$2 changes=$3
  local -a again
  compose_args "$manifest" "$project"
  if jq -es --arg p "$project" 'any(.[]; .project == $p and .change != "keep" and (.why | test("^(mount|secret|not running|it restarts)") | not))' <<<"$changes" >/dev/null; then
    compose_up "$project" "${COMPOSE_ARGS[@]}" up -d --remove-orphans --quiet-pull || {
      # a dependency that turned unhealthy makes `up` fail: say which
      wait_projects 1 "$project" || return 1
      CONVERGE_WHY="docker compose up of $project failed"
      return 1
    }
    changes=$(changes_of "$manifest" "$project")
  fi
  # what compose does not see, or would only start again: content of mounted files, configs and secrets; what does not run
  mapfile -t again < <(jq -r --arg p "$project" 'select(.project == $p and .change == "recreate") | .service' <<<"$changes")
  if [ ${#again[@]} -gt 0 ]; then
    mapfile -t -O ${#again[@]} again < <(jq -r --arg p "$project" --args '.projects[$p].services | to_entries[] | select(.key as $k | $ARGS.positional | index($k) | not)
      | select([.value.restarts_with[] | . as $d | $ARGS.positional | index($d)] | any) | .key' "${again[@]}" <"$manifest")
    compose_up "$project" "${COMPOSE_ARGS[@]}" up -d --force-recreate "${again[@]}" || {
      CONVERGE_WHY="docker compose up of $project (${again[*]}) failed"
      return 1
    }
  fi
}

owned_projects() { jq -r '.[]' "$OWNED" 2>/dev/null || true; }

# Makes running projects equal to a manifest; foreign containers are left alone.
converge_release() { # MANIFEST [SECONDS] -> 0, or 1 with CONVERGE_WHY
  local manifest=$1 wait project changes
  local -a projects
  wait=${2:-$(jq -r .settings.timing.wait "$manifest")}
  mapfile -t projects < <(jq -r '.projects | keys_unsorted[]' "$manifest")
  # durable before the first `up`: else a power cut makes an orphan of a new project for ever
  { owned_projects; printf '%s\n' "${projects[@]}"; } | jq -Rn '[inputs | select(. != "")] | unique' | durable_write "$OWNED"
  # lists are read from a descriptor of their own, so that no command inside can eat them
  while IFS= read -r project <&3; do
    jq -e --arg p "$project" '.projects | has($p)' "$manifest" >/dev/null && continue
    note output "docker compose -p $project down"
    timeout 300 docker compose -p "$project" down --remove-orphans >/dev/null 2>&1 </dev/null || {
      CONVERGE_WHY="project $project could not be removed"
      return 1
    }
  done 3< <(owned_projects)
  changes=$(changes_of "$manifest" "${projects[@]}")
  if jq -es 'any(.[]; .problem)' <<<"$changes" >/dev/null; then
    CONVERGE_WHY=$(jq -rs 'map(.problem // empty)[0] | "\(.what): \(.why)"' <<<"$changes")
    return 1
  fi
  while IFS= read -r project <&3; do
    note progress "$project"
    project_up "$manifest" "$project" "$changes" || return 1
  done 3< <(jq -rn --slurpfile m "$manifest" '([inputs | select(.change != "keep") | .project] | unique) as $touched | $m[0].projects | keys_unsorted[] | select(. as $p | $touched | index($p))' <<<"$changes")
  wait_projects "$wait" "${projects[@]}" || return 1
  # struck off only after docker's removal is on disk
  if [ "$(owned_projects)" != "$(jq -r '.projects | keys[]' "$manifest")" ]; then
    sync -f "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || echo /var/lib/docker)" 2>/dev/null || sync
    jq '.projects | keys' "$manifest" | durable_write "$OWNED"
  fi
}
