# shellcheck shell=bash
# Builder of `cockpit-release` (nix/lib/release.nix): turns cockpit.yaml into this host's manifest.json and links what it names.
# Environment: out, host, commit, settings, sourcesPath, functions, yamlToJson.
set -euo pipefail

fail() {
  printf 'cockpit: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'cockpit: hint: %s\n' "$2" >&2
  exit 1
}

to_json() { # FILE -> JSON on stdout
  # yamlToJson is a command with arguments
  # shellcheck disable=SC2154,SC2086
  $yamlToJson "$1"
}

# sops marks what it encrypts in one of these ways
format_of() { # STORE-PATH NAME -> yaml|json|dotenv|ini|binary|plain
  local file=$1 name=$2
  if grep -q '^sops_version=' "$file"; then
    echo dotenv
  elif grep -q '^\[sops\]' "$file"; then
    echo ini
  elif [ "$(head -c 1 "$file")" = "{" ] && jq -e 'type == "object" and has("sops")' "$file" >/dev/null 2>&1; then
    case $name in
      *.json) echo json ;;
      *) echo binary ;;
    esac
  elif grep -q '^sops:' "$file"; then
    echo yaml
  else
    echo plain
  fi
}

# shellcheck disable=SC2154
mkdir -p "$out/entries"
# shellcheck disable=SC2154
to_json "$settings" >settings.json || fail "cockpit.yaml does not parse" "run: cockpit config check"
# shellcheck disable=SC2154
jq -e --arg h "$host" '.hosts | has($h)' settings.json >/dev/null || fail "cockpit.yaml has no host '$host'" "add it under hosts:, or set cockpit.host in the host's module"

# shellcheck disable=SC2154
jq -r --arg h "$host" '.hosts[$h].projects // [] | .[]' settings.json >names
style=$(jq -r '.secrets.style // "file"' settings.json)
echo '{}' >projects.json
while IFS= read -r project; do
  jq -e --arg p "$project" '.projects | has($p)' settings.json >/dev/null || fail "host '$host' names the project '$project', which cockpit.yaml does not have"
  source=$(jq -r --arg p "$project" '.projects[$p].source | ltrimstr("./") | rtrimstr("/")' settings.json)
  # shellcheck disable=SC2154
  jq -e --arg s "$source" '.projects | has($s)' "$sourcesPath" >/dev/null || fail "project '$project': there is no folder '$source'" "is it committed?"

  jq -c --arg s "$source" '.projects[$s]' "$sourcesPath" >all-entries.json
  echo '{}' >entries.json
  echo '{}' >encrypted.json
  n=0
  while IFS= read -r name; do
    path=$(jq -r --arg n "$name" '.[$n]' all-entries.json)
    n=$((n + 1))
    ln -s "$path" "$out/entries/$project-$n"
    format=plain
    if [ "$style" = sidecar ] && [[ $name == ?*.enc ]] && [ -f "$path" ]; then
      # NAME.enc stands for NAME, and is nothing by itself
      sidecar=$name name=${name%.enc}
      format=$(format_of "$path" "$name")
      [ "$format" != plain ] || fail "project '$project': '$source/$sidecar' is not encrypted" "encrypt it with sops, commit, and replace its values: they are in the history"
      ! jq -e --arg n "$name" 'has($n)' all-entries.json >/dev/null ||
        fail "project '$project': '$source/$name' is in git beside '$sidecar', in plain text" "git rm --cached $source/$name, add it to .gitignore, and replace its values: they are in the history"
    elif [ -f "$path" ]; then
      format=$(format_of "$path" "$name")
    elif inside=$(grep -rlE '^sops_version=|^sops:|^ *"sops": *\{' "$path" 2>/dev/null | head -n 1) && [ -n "$inside" ]; then
      fail "project '$project': '$name/${inside#"$path"/}' is encrypted, inside a folder" "an encrypted file must lie at the top of the project's folder, or under secrets/"
    fi
    if [ "$format" = plain ]; then
      jq -c --arg n "$name" --arg p "$path" '.[$n] = $p' entries.json >x && mv x entries.json
    else
      jq -c --arg n "$name" --arg p "$path" --arg f "$format" '.[$n] = {path: $p, format: $f}' encrypted.json >x && mv x encrypted.json
    fi
  done < <(jq -r 'keys_unsorted[]' all-entries.json)

  jq -c 'keys as $have | [["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
      ["compose.override.yaml", "compose.override.yml", "docker-compose.override.yml"], ["compose.lock.yaml"]]
      | map(map(select(. as $n | $have | index($n)))[:1]) | add' entries.json >compose.json
  [ "$(jq 'length' compose.json)" -gt 0 ] && jq -e '.[0] | test("lock") | not' compose.json >/dev/null ||
    fail "project '$project': '$source' has no compose.yaml"

  echo '{}' >merged.json
  while IFS= read -r name; do
    to_json "$(jq -r --arg n "$name" '.[$n]' entries.json)" >one.json || fail "$source/$name does not parse" "see the message above"
    # as compose does it: tables by their keys, lists behind each other, but for what is one command
    jq -c -s 'def merge($a; $b): [$a, $b | type] as $types
        | if $types == ["object", "object"] then reduce ($b | keys_unsorted[]) as $k ($a; .[$k] = if $k | IN("command", "entrypoint", "test") then $b[$k] else merge($a[$k]; $b[$k]) end)
          elif $types == ["array", "array"] then $a + $b else $b end;
      merge(.[0]; .[1] // {})' merged.json one.json >x && mv x merged.json
  done < <(jq -r '.[]' compose.json)

  echo '{}' >secrets.json
  while IFS= read -r secret; do
    file=$(jq -r --arg p "$project" --arg s "$secret" '.projects[$p].secrets[$s].file' settings.json)
    path=$(jq -r --arg f "$file" '.secrets[$f] // empty' "$sourcesPath")
    [ -n "$path" ] || fail "project '$project', secret '$secret': there is no file '$file' under secrets/" "is it committed?"
    ln -sf "$path" "$out/entries/secret-$(basename "$path")"
    jq -c --arg p "$project" --arg s "$secret" --arg path "$path" --arg f "$(format_of "$path" "$file")" --slurpfile secrets secrets.json \
      '$secrets[0] + {($s): ({path: $path, format: $f, file: .projects[$p].secrets[$s].file, key: null, owner: "0:0", mode: "0400"}
        + (.projects[$p].secrets[$s] | {key, owner: (.owner // "0:0"), mode: (.mode // "0400")} | with_entries(select(.value != null))))}' settings.json >x && mv x secrets.json
  done < <(jq -r --arg p "$project" '.projects[$p].secrets // {} | keys_unsorted[]' settings.json)

  # shellcheck disable=SC2154
  jq -c -f "$functions" --arg p "$project" --slurpfile settings settings.json --slurpfile entries entries.json --slurpfile encrypted encrypted.json \
    --slurpfile compose compose.json --slurpfile secrets secrets.json merged.json >project.json
  # What a service mounts below an entry that does not have it is made by the engine when the container starts, and not in the store.
  while IFS=$'\x1f' read -r name path rest; do
    if [ -d "$path" ] && [ ! -e "$path/$rest" ]; then
      jq -c --arg n "$name" '.copied |= (. + [$n] | unique)' project.json >x && mv x project.json
    fi
  done < <(jq -r '. as $all | .mounted[] | split("/") as $parts | select($all.entries[$parts[0]] and ($parts | length) > 1)
    | [$parts[0], $all.entries[$parts[0]], ($parts[1:] | join("/"))] | join("\u001f")' project.json)
  jq -c -s --arg p "$project" '.[0] + {($p): .[1]}' projects.json project.json >x && mv x projects.json
done <names

jq --arg h "$host" --arg commit "${commit:-}" --slurpfile projects projects.json '
  def seconds: if type == "number" then . elif . == null then null
    else capture("^(?<n>[0-9.]+)(?<u>ms|s|m|h)?$") | (.n | tonumber) * ({"ms": 0.001, "s": 1, "m": 60, "h": 3600}[.u // "s"]) end;
  .hosts[$h] as $host | {
  schema: 1, host: $h, commit: (if $commit == "" then null else $commit end), keep: (.keep // 15),
  settings: {
    identity: ($host.identity // "/etc/ssh/ssh_host_ed25519_key"),
    timing: {wait: ($host.timing.wait | seconds // 120), stable: ($host.timing.stable | seconds // 10), revert_after: ($host.timing.revert_after | seconds // 300)},
    health: ($host.health // [])},
  projects: $projects[0]}' settings.json >"$out/manifest.json"
# bash must be the last process here: nix takes a closed output for the end of the build
exit 0
