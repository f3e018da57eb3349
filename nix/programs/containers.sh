# shellcheck shell=bash
# What the engine runs: one look at all containers of compose projects, and what follows from it. Sourced.
# One process for everything, not one for each project: on a small machine processes are what a deploy waits for.

# JSON lines, one a container, one-offs left out; 1 when the engine does not answer. Only what is needed of `docker inspect`: the
# rest would not fit on a command line.
containers() {
  local found
  local -a ids
  found=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False 2>/dev/null) || return 1
  [ -n "$found" ] || return 0
  mapfile -t ids <<<"$found"
  # one that goes while we look makes inspect fail, and prints the others
  { docker inspect "${ids[@]}" 2>/dev/null || true; } | jq -c '.[] | {
    id: .Id, project: .Config.Labels["com.docker.compose.project"], service: .Config.Labels["com.docker.compose.service"],
    dir: (.Config.Labels["com.docker.compose.project.working_dir"] // ""), hash: .Config.Labels["com.docker.compose.config-hash"], ref: .Config.Image, image: .Image, pid: .State.Pid, state: .State.Status,
    running: .State.Running, exit: .State.ExitCode, oom: .State.OOMKilled, started: .State.StartedAt, restarts: .RestartCount,
    health: (.State.Health.Status // "none"), once: (.HostConfig.RestartPolicy.Name | . == "no" or . == "" or . == "on-failure"),
    binds: [(.Mounts // [])[] | select(.Type == "bind") | {to: .Destination, from: .Source}]}'
}

containers_of() { # PROJECT... -> the same, of these projects only
  containers | jq -c --args 'select(.project as $p | $ARGS.positional | index($p))' "$@"
}

# jq: a reference as the engine lists it: a tag where there is none, a digest without its tag, without the default registry
REFERENCE='def reference: ltrimstr("docker.io/") | ltrimstr("library/")
  | if contains("@") then (split("@") | (.[0] | sub(":[^/:]*$"; "")) + "@" + .[1]) elif test(":[^/]*$") then . else . + ":latest" end;'

image_ids() { # image references on stdin -> {"REF": "sha256:.."} of those that are here
  local -a refs
  mapfile -t refs < <(sort -u | grep -v '^$')
  [ ${#refs[@]} -gt 0 ] || { echo '{}' && return; }
  { docker image inspect --format '{{.Id}} {{json .RepoTags}} {{json .RepoDigests}}' "${refs[@]}" 2>/dev/null || true; } |
    jq -Rcn --args "$REFERENCE"'
      ([inputs | capture("^(?<id>[^ ]+) (?<tags>[^ ]+) (?<digests>.*)$") | .id as $id | ((.tags | fromjson) // []) + ((.digests | fromjson) // [])
        | .[] | {(reference): $id}] | add // {}) as $known
      | [$ARGS.positional[] | . as $ref | ($known[$ref | reference] // ($known | to_entries[] | select(.value == $ref) | .value)) as $id | {($ref): $id}] | add // {}' "${refs[@]}"
}

# lines PROJECT/SERVICE RESTARTS STARTED, of services that run on; containers on stdin
restart_marks() { # MANIFEST
  jq -r --slurpfile m "$1" 'select(.project as $p | $m[0].projects | has($p)) | select(.state == "exited" and .exit == 0 | not) | "\(.project)/\(.service) \(.restarts) \(.started)"' | sort
}

# services of the release without a container, in one line; containers on stdin
missing_services() { # MANIFEST
  jq -rn --slurpfile m "$1" '([inputs | "\(.project)/\(.service)"] | unique) as $have
    | [$m[0].projects | to_entries[] | .key as $p | .value.services | to_entries[] | select(.value.replicas != 0) | "\($p)/\(.key)"] - $have | join(" ")'
}

# What is broken and what is only not ready yet, as two lines; containers on stdin. Ready is: healthy, or running without a
# healthcheck, or ended well where it is not restarted. BEFORE is an earlier look: restarts of a container count from there on,
# since one that has run for months may have had its share.
readiness() { # BEFORE PROJECT...
  local before=$1
  shift
  jq -rn --slurpfile before <(printf '%s\n' "$before") --args '($before | map({(.id): .restarts}) | add // {}) as $had | [inputs | select(.project as $p | $ARGS.positional | index($p)) | . + {name: "\(.project)/\(.service)", memory: (if .oom then ", out of memory" else "" end)}]
    | ([.[] | if .health == "unhealthy" then "\(.name) is unhealthy"
        elif .state == "exited" and .exit != 0 and .once then "\(.name) exited with \(.exit)\(.memory)"
        elif .state == "dead" then "\(.name) is dead"
        elif .restarts - ($had[.id] // 0) >= 3 then "\(.name) restarted \(.restarts) times, last exit \(.exit)\(.memory)" else empty end][0] // ""),
      ([.[] | if .state == "running" and (.health == "none" or .health == "healthy") then empty elif .state == "exited" and .exit == 0 and .once then empty
        else "\(.name): \(if .health == "starting" then "health check starting" else .state end)" end] | join(", "))' "$@"
}

# Waits until every service of these projects is ready.
CONVERGE_WHY=''
wait_projects() { # SECONDS PROJECT... -> 0, or 1 with CONVERGE_WHY
  local seconds=$1 deadline=$((SECONDS + ${1%.*} + 1)) seen before='' bad waits told=''
  shift
  [ $# -gt 0 ] || return 0
  while :; do
    bad='' waits='the container engine does not answer'
    if seen=$(containers); then
      before=${before:-$seen}
      { IFS= read -r bad && IFS= read -r waits; } < <(readiness "$before" "$@" <<<"$seen") || true
    fi
    if [ -n "$bad" ]; then
      CONVERGE_WHY=$bad
      return 1
    fi
    [ -n "$waits" ] || return 0
    if [ "$SECONDS" -ge "$deadline" ]; then
      CONVERGE_WHY="$waits, not ready within ${seconds}s"
      return 1
    fi
    if [ "$waits" != "$told" ]; then
      note wait "$waits" $((deadline - SECONDS))
      told=$waits
    fi
    sleep 0.3
  done
}
