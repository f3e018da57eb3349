# One project of the manifest from its merged compose files (standard input).
# Compose's short volume syntax is SOURCE:TARGET[:OPTIONS]; a source that starts with . or / is a path. Those in the project's own
# directory count, whether they are written relative to it or whole.
def binds($directory):
  (.volumes // [])[]
  | if type == "string" then
      (split(":") | select(length >= 2) | {source: .[0], options: ((.[2] // "") | split(","))})
    else
      select(.type == "bind") | {source: .source, options: (if .read_only then ["ro"] else [] end)}
    end
  | select(.source | startswith(".") or . == $directory or startswith($directory + "/"))
  | {source: (.source | if startswith("/") then ltrimstr($directory) | ltrimstr("/") else . end | ltrimstr("./") | rtrimstr("/")),
     writable: (.options | index("ro") | not)};

# Whether compose fills in a variable here ($$ is a dollar sign)
def interpolates: tostring | gsub("\\$\\$"; "") | test("\\$(\\{|[A-Za-z_])");

# What of a service takes values from the project's .env: names of variables, and of the other keys that containers are made of
def interpolated:
  ((.environment // {}) | if type == "array" then map(tostring | split("=") | {key: .[0], value: (.[1:] | join("="))}) else to_entries end
    | map(select((.value // "") | interpolates) | .key))
  + [to_entries[] | select((.key == "command" or .key == "entrypoint" or .key == "labels") and (.value | interpolates)) | .key];

($settings[0].projects[$p]) as $own
| (($own.directory // "/var/lib/cockpit/projects/\($p)") | rtrimstr("/")) as $directory
| [(.services // {})[] | binds($directory)] as $binds
| {
    $directory,
    source: $own.source,
    env_secrets: ($own.env_secrets // "refuse"),
    entries: $entries[0],
    encrypted: $encrypted[0],
    compose: $compose[0],
    pinned: ($compose[0] | index("compose.lock.yaml") != null),
    mounted: ([$binds[].source] | unique),
    # what a service may write to, or a mount of the directory itself, is copied; everything else is a symlink
    copied: (
      if any($binds[]; .source == "" or .source == ".") then ($entries[0] | keys)
      else [$binds[] | select(.writable) | .source | split("/")[0]] | unique | map(select(. as $e | $entries[0] | has($e)))
      end),
    services: ((.services // {}) | with_entries(select((.value.profiles // []) == [])) | map_values({
      image: (.image // null),
      oneshot: ((.restart // "no") | tostring | . == "no" or . == "false" or startswith("on-failure")),
      replicas: (.deploy.replicas // .scale // 1),
      restart: ((.restart // "no") | tostring),
      plain_secrets: ([((.environment // {}) | if type == "array" then (map(split("=") | {key: .[0], value: (.[1:] | join("="))})) else to_entries end)[]
        | select((.key | test("(?i)(password|passwd|secret|token|api_?key|private_?key)$")) and ((.value // "") | tostring | . != "" and (startswith("$") | not) and (startswith("/") | not)))
        | .key]),
      env_files: [(.env_file // []) | if type == "array" then .[] else . end | if type == "object" then .path else . end | ltrimstr("./")],
      # values of an encrypted .env become part of the container
      interpolated: (if $encrypted[0] | has(".env") then interpolated else [] end),
      restarts_with: [(.depends_on // {}) | if type == "object" then to_entries[] | select(.value.restart == true) | .key else empty end],
      # docker publishes past the firewall: a port without a host address is open on every interface
      ports_open: [(.ports // [])[] | if type == "object" then select((.host_ip // "") == "" and .published != null) | .published else select((tostring | split(":") | length) <= 2) end | tostring],
    })),
    secrets: $secrets[0],
  }
