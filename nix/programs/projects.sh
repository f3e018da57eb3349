# shellcheck shell=bash
# Compose projects: what differs between a manifest and what runs, and making it so. Sourced.

# Told while it works; the supervisor replaces it by events.
note() { say "$2"; } # EVENT TEXT [SECONDS-LEFT]

COMPOSE_ARGS=()
compose_args() { # MANIFEST PROJECT -> COMPOSE_ARGS
  local directory file
  directory=$(jq -r --arg p "$2" '.projects[$p].directory' "$1")
  COMPOSE_ARGS=(-p "$2" --project-directory "$directory")
  while IFS= read -r file; do COMPOSE_ARGS+=(-f "$directory/$file"); done < <(jq -r --arg p "$2" '.projects[$p].compose[]' "$1")
}

containers_of() { # PROJECT -> JSON array of docker inspect, one-offs left out
  local -a ids
  mapfile -t ids < <(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.oneoff=False")
  if [ ${#ids[@]} -eq 0 ]; then
    echo '[]'
  else # one that goes while we look makes inspect fail, and prints the others
    docker inspect "${ids[@]}" 2>/dev/null || true
  fi
}

image_ids() { # image references on stdin -> {"REF": "sha256:.."} of those that are here
  local ref id
  while IFS= read -r ref; do
    [ -n "$ref" ] || continue
    id=$(docker image inspect --format '{{.Id}}' "$ref" 2>/dev/null) || continue
    jq -cn --arg r "$ref" --arg i "$id" '{($r): $i}'
  done | jq -cs 'add // {}'
}

# Whether what a running container has mounted is not what the path holds now. Sources that resolve into the store are compared by
# name; copies and secrets by content, read in place: a container that restarted by its policy has the same id and new content.
mount_differs() { # PID DESTINATION SOURCE
  local real root
  real=$(readlink -f "$3" 2>/dev/null) || return 0
  case $real in
    /nix/store/*)
      root=$(awk -v d="$2" '$5 == d { r = $4 } END { print r }' "/proc/$1/mountinfo" 2>/dev/null)
      [ "${root##*/store/}" != "${real##*/store/}" ]
      ;;
    *)
      [ -f "$real" ] || return 1
      ! cmp -s "/proc/$1/root$2" "$real"
      ;;
  esac
}

# What `up` has to do for one project: JSON lines {project, service, change, why, old_image, new_image}.
# Reads the directories and secrets as they are in this mount namespace: the plan looks at staged ones.
project_changes() { # MANIFEST PROJECT
  local manifest=$1 project=$2 directory hashes images containers service pid destination source
  directory=$(jq -r --arg p "$project" '.projects[$p].directory' "$manifest")
  compose_args "$manifest" "$project"
  hashes=$(timeout 60 docker compose "${COMPOSE_ARGS[@]}" config --hash '*' 2>"$RUNTIME/compose.err") || {
    jq -cn --arg p "$project" --arg why "$(tail -n 3 "$RUNTIME/compose.err" | tr '\n' ' ')" '{problem: {exit: 4, what: "compose cannot read project \($p)", $why, hint: "docker compose config shows it; mend the compose file"}}'
    return 0
  }
  containers=$(containers_of "$project")
  images=$(timeout 60 docker compose "${COMPOSE_ARGS[@]}" config --format json 2>/dev/null | jq -c '.services | map_values(.image // "")')
  local ids
  ids=$(jq -r '.[]' <<<"$images" | image_ids)
  declare -A stale=()
  while IFS=$'\x1f' read -r service pid destination source; do
    [ -z "${stale[$service]:-}" ] || continue
    if mount_differs "$pid" "$destination" "$source"; then
      case $source in
        "$SECRETS"/*) stale[$service]="secret ${source##*/}" ;;
        *) stale[$service]="mount ${source#"$directory"/}" ;;
      esac
    fi
  done < <(jq -r --arg d "$directory/" --arg s "$SECRETS/" '.[] | select(.State.Pid > 0) | .Config.Labels["com.docker.compose.service"] as $n | .State.Pid as $pid
      | .Mounts[] | select(.Type == "bind" and ((.Source + "/" | startswith($d)) or (.Source | startswith($s)))) | [$n, ($pid | tostring), .Destination, .Source] | join("\u001f")' <<<"$containers")
  {
    for service in "${!stale[@]}"; do printf '%s\x1f%s\n' "$service" "${stale[$service]}"; done
  } | jq -Rcn --arg p "$project" --arg hashes "$hashes" --argjson containers "$containers" --argjson images "$images" --argjson ids "$ids" --slurpfile m "$manifest" '
    ([inputs | split("\u001f") | {(.[0]): .[1]}] | add // {}) as $stale
    | ($hashes | split("\n") | map(select(. != "") | split(" ") | {(.[0]): .[1]}) | add // {}) as $want
    | ($containers | group_by(.Config.Labels["com.docker.compose.service"]) | map({(.[0].Config.Labels["com.docker.compose.service"]): .}) | add // {}) as $have
    | (($want | keys) + ($have | keys) | unique)[] as $s
    | ($have[$s] // []) as $c
    | ($images[$s] // null) as $image
    | ($c[0].Config.Image // null) as $old
    | {project: $p, service: $s, old_image: $old, new_image: $image} + (
        if $want[$s] == null then {change: "remove", why: "no longer in the release", new_image: null}
        elif ($c | length) == 0 then {change: "create", why: "new"}
        elif any($c[]; .Config.Labels["com.docker.compose.config-hash"] != $want[$s]) then {change: "recreate", why: (if $old != $image then "image" else "config" end)}
        elif $ids[$image] != null and any($c[]; .Image != $ids[$image]) then {change: "recreate", why: "image"}
        elif $stale[$s] then {change: "recreate", why: $stale[$s]}
        elif any($c[]; .State.Running or (.State.Status == "exited" and .State.ExitCode == 0 and (.HostConfig.RestartPolicy.Name | . == "no" or . == "" or . == "on-failure")) | not) then {change: "start", why: "not running"}
        else {change: "keep", why: ""} end)'
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

# Waits for every service of a project: healthy, or running without a healthcheck, or ended well where it is not restarted.
CONVERGE_WHY=''
wait_project() { # MANIFEST PROJECT SECONDS -> 0, or 1 with CONVERGE_WHY
  local manifest=$1 project=$2 deadline=$((SECONDS + ${3%.*} + 1)) state bad waits told=''
  while :; do
    state=$(containers_of "$project" | jq -c '[.[] | {s: .Config.Labels["com.docker.compose.service"], st: .State.Status, h: (.State.Health.Status // "none"), x: .State.ExitCode, r: .RestartCount, oom: .State.OOMKilled,
        once: (.HostConfig.RestartPolicy.Name | . == "no" or . == "" or . == "on-failure")}]')
    bad=$(jq -r '[.[] | if .h == "unhealthy" then "\(.s) is unhealthy"
        elif .st == "exited" and .x != 0 and .once then "\(.s) exited with \(.x)\(if .oom then ", out of memory" else "" end)"
        elif .st == "dead" then "\(.s) is dead"
        elif .r >= 3 then "\(.s) restarted \(.r) times, last exit \(.x)\(if .oom then ", out of memory" else "" end)" else empty end][0] // empty' <<<"$state")
    waits=$(jq -r '[.[] | if .st == "running" and (.h == "none" or .h == "healthy") then empty elif .st == "exited" and .x == 0 and .once then empty else "\(.s): \(if .h == "starting" then "health check starting" else .st end)" end] | join(", ")' <<<"$state")
    if [ -n "$bad" ]; then
      CONVERGE_WHY="$project/$bad"
      return 1
    fi
    [ -z "$waits" ] && return 0
    if [ "$SECONDS" -ge "$deadline" ]; then
      CONVERGE_WHY="$project/$waits, not ready within ${3}s"
      return 1
    fi
    if [ "$waits" != "$told" ]; then
      note wait "$project/$waits" $((deadline - SECONDS))
      told=$waits
    fi
    sleep 0.3
  done
}

project_up() { # MANIFEST PROJECT -> 0, or 1 with CONVERGE_WHY
  local manifest=$1 project=$2 changes service
  local -a again
  changes=$(project_changes "$manifest" "$project")
  if jq -es 'any(.[]; .problem)' <<<"$changes" >/dev/null; then
    CONVERGE_WHY=$(jq -rs 'map(.problem // empty)[0] | "\(.what): \(.why)"' <<<"$changes")
    return 1
  fi
  if jq -es 'all(.[]; .change == "keep")' <<<"$changes" >/dev/null; then return 0; fi
  compose_args "$manifest" "$project"
  compose_up "$project" "${COMPOSE_ARGS[@]}" up -d --remove-orphans --quiet-pull || {
    # a dependency that turned unhealthy makes `up` fail: say which
    wait_project "$manifest" "$project" 1 || return 1
    CONVERGE_WHY="docker compose up of $project failed"
    return 1
  }
  # what compose does not see: content of mounted files, configs and secrets
  mapfile -t again < <(project_changes "$manifest" "$project" | jq -r 'select(.change == "recreate" or .change == "start") | .service')
  if [ ${#again[@]} -gt 0 ]; then
    mapfile -t -O ${#again[@]} again < <(jq -r --arg p "$project" --args '.projects[$p].services | to_entries[] | select(.key as $k | $ARGS.positional | index($k) | not)
      | select([.value.restarts_with[] | . as $d | $ARGS.positional | index($d)] | any) | .key' "${again[@]}" <"$manifest")
    compose_up "$project" "${COMPOSE_ARGS[@]}" up -d --no-deps --force-recreate "${again[@]}" || {
      CONVERGE_WHY="docker compose up of $project (${again[*]}) failed"
      return 1
    }
  fi
}

owned_projects() { jq -r '.[]' "$OWNED" 2>/dev/null || true; }

# Makes running projects equal to a manifest; foreign containers are left alone.
converge_release() { # MANIFEST [SECONDS] -> 0, or 1 with CONVERGE_WHY
  local manifest=$1 wait project
  wait=${2:-$(jq -r .settings.timing.wait "$manifest")}
  # durable before the first `up`: else a power cut makes an orphan of a new project for ever
  { owned_projects; jq -r '.projects | keys[]' "$manifest"; } | jq -Rn '[inputs | select(. != "")] | unique' | durable_write "$OWNED"
  # lists are read from a descriptor of their own, so that no command inside can eat them
  while IFS= read -r project <&3; do
    jq -e --arg p "$project" '.projects | has($p)' "$manifest" >/dev/null && continue
    note output "docker compose -p $project down"
    timeout 300 docker compose -p "$project" down --remove-orphans >/dev/null 2>&1 </dev/null || {
      CONVERGE_WHY="project $project could not be removed"
      return 1
    }
  done 3< <(owned_projects)
  while IFS= read -r project <&3; do
    note progress "$project"
    project_up "$manifest" "$project" || return 1
  done 3< <(jq -r '.projects | keys_unsorted[]' "$manifest")
  while IFS= read -r project <&3; do
    wait_project "$manifest" "$project" "$wait" || return 1
    note progress "$project: as the release says"
  done 3< <(jq -r '.projects | keys_unsorted[]' "$manifest")
  # struck off only after docker's removal is on disk
  if [ "$(owned_projects)" != "$(jq -r '.projects | keys[]' "$manifest")" ]; then
    sync -f "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || echo /var/lib/docker)" 2>/dev/null || sync
    jq '.projects | keys' "$manifest" | durable_write "$OWNED"
  fi
}
