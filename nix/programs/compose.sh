# shellcheck shell=bash
# One compose project of the running release, from its own files: what `up` would do; and up, pull and down of it. Sourced.

# Whoever holds the transaction's unit holds the host.
refuse_locked() {
  local holder
  holder=$(cat "$RUNTIME/holder.json" 2>/dev/null || echo '{}')
  fail 7 "the host is locked" "$(jq -r 'if .who then "\(.who) on \(.origin): \(if .kind == "compose" then "compose" else "run" end) \(.run) since \(.since | floor | todate)" else "a nixos-rebuild runs" end' <<<"$holder")" \
    "$(jq -r 'if .run and .kind != "compose" then "cockpit attach \(.run)" else "wait for it to end" end' <<<"$holder")"
}

# The manifest that counts; fails for what the running release does not have: other projects are not ours.
COMPOSE_MANIFEST=''
compose_release() { # PROJECT SERVICE
  COMPOSE_MANIFEST=$(manifest_of "$(running_closure)")
  [ -n "$COMPOSE_MANIFEST" ] && jq -e --arg p "$1" '.projects | has($p)' "$COMPOSE_MANIFEST" >/dev/null ||
    fail 9 "project $1 is not in the running release" "only what a release brought is brought up or down" "deploy it, or use docker compose on the host"
  [ -z "$2" ] || jq -e --arg p "$1" --arg s "$2" '.projects[$p].services | has($s)' "$COMPOSE_MANIFEST" >/dev/null ||
    fail 9 "project $1 has no service $2 in the running release" "" "deploy the commit that has it"
}

compose_changes() { # PROJECT -> JSON lines, as in the answer of check
  local changes
  changes=$(changes_of "$COMPOSE_MANIFEST" "$1")
  if jq -es 'any(.[]; .problem)' <<<"$changes" >/dev/null; then
    jq -rs '{error: (map(.problem // empty)[0])}' <<<"$changes"
    return 4
  fi
  printf '%s\n' "$changes"
}

verb_compose() { # plan|up|pull|down PROJECT [SERVICE]; {"run", "who", "origin"} on standard input, except for plan
  local what=${1:-} project=${2:-} service=${3:-} request changes out status=0
  case $what in plan | up | pull | down) ;; *) fail 2 "usage: compose plan|up|pull|down PROJECT [SERVICE]" ;; esac
  [ -n "$project" ] || fail 2 "usage: compose $what PROJECT [SERVICE]"
  case $what in plan | down) [ -z "$service" ] || fail 2 "compose $what is of a whole project" ;; esac
  compose_release "$project" "$service"
  ! unit_active || refuse_locked
  [ -z "$(open_attempt)" ] || fail 7 "the host is locked" "an interrupted deploy is still to be ended" "cockpit-transaction recover"
  if [ "$what" = plan ]; then
    changes=$(compose_changes "$project") || { printf '%s\n' "$changes" && exit 4; }
    jq -cs --arg p "$project" '{project: $p, services: .}' <<<"$changes"
    return
  fi
  request=$(head -c 100000)
  valid_run "$(jq -re '.run' <<<"$request" || fail 2 "the request is not understood")"
  # Under the name that every transaction takes. Whoever asked may go: the unit ends what it began.
  out=$(systemd-run --quiet --collect --wait --pipe --no-ask-password --unit="$UNIT" --service-type=exec --description="cockpit compose $what $project" \
    -p KillMode=control-group -p RuntimeMaxSec=1500 "$COCKPIT_SELF/cockpit-transaction" compose-here "$what" "$project" "$service" <<<"$request") || status=$?
  if [ -z "$out" ]; then
    ! unit_active || refuse_locked
    fail 12 "compose $what of $project could not be started" "systemd-run ended with $status" "journalctl -u $UNIT"
  fi
  printf '%s\n' "$out"
  exit "$status"
}

compose_here() { # up|pull|down PROJECT SERVICE, inside the unit
  local what=$1 project=$2 service=$3 change images before after why
  jq -c '{run, who: (.who // ""), origin: (.origin // ""), kind: "compose", since: now}' >"$RUNTIME/holder.json.tmp"
  mv -T "$RUNTIME/holder.json.tmp" "$RUNTIME/holder.json"
  trap 'rm -f "$RUNTIME/holder.json"' EXIT
  # whoever listened may be gone
  note() { printf '%s\n' "$2" >&2 || true; }
  [ -z "$(open_attempt)" ] || fail 7 "the host is locked" "an interrupted deploy is still to be ended" "cockpit-transaction recover"
  exec 9>"$RUNTIME/converge.lock"
  flock -w 60 9 || fail 7 "the host is locked" "cockpit-converge runs" "wait for it to end"
  compose_release "$project" "$service"
  compose_args "$COMPOSE_MANIFEST" "$project"
  case $what in
    up)
      change=$(compose_changes "$project") || { printf '%s\n' "$change" && exit 4; }
      if [ -n "$service" ]; then
        change=$(jq -r --arg s "$service" 'select(.service == $s) | .change' <<<"$change")
        local -a force=()
        [ "$change" != recreate ] || force=(--force-recreate)
        [ "$change" = keep ] || compose_up "$project" "${COMPOSE_ARGS[@]}" up -d --no-deps --quiet-pull "${force[@]}" "$service" ||
          fail 12 "$project/$service could not be brought up"
      else
        project_up "$COMPOSE_MANIFEST" "$project" "$change" || fail 12 "$project could not be brought up" "$CONVERGE_WHY"
      fi
      jq -cn '{done: "up"}'
      ;;
    pull)
      images=$(images_of "$COMPOSE_MANIFEST" "$project" | jq -c --arg p "$project" --arg s "$service" '.[$p] | with_entries(select(.value != "" and ($s == "" or .key == $s)))')
      before=$(jq -r '.[]' <<<"$images" | image_ids)
      while IFS= read -r image <&3; do
        note output "docker pull $image"
        why=$(timeout 600 docker pull -q "$image" 2>&1 >/dev/null </dev/null) || fail 12 "the image $image cannot be had" "${why:-docker pull did not end within 600s}" "is the name right, and does the host reach the registry?"
      done 3< <(jq -r '[.[]] | unique[]' <<<"$images")
      after=$(jq -r '.[]' <<<"$images" | image_ids)
      jq -cn --argjson i "$images" --argjson b "$before" --argjson a "$after" '{done: "pull", images: [$i | to_entries[] | {service: .key, image: .value, old: $b[.value], new: $a[.value]}]}'
      ;;
    down)
      # volumes stay: nothing here has -v
      note output "docker compose -p $project down"
      why=$(timeout 300 docker compose --ansi never "${COMPOSE_ARGS[@]}" down --remove-orphans 2>&1 </dev/null) || fail 12 "$project could not be taken down" "$(tail -n 2 <<<"$why" | tr '\n' ' ')"
      jq -cn '{done: "down"}'
      ;;
  esac
}
