# mkIf, mkMerge and mkOverride of one option's definitions: those that count, unwrapped.
let
  inherit (builtins)
    concatLists
    concatMap
    filter
    foldl'
    isAttrs
    map
    ;
  flatten =
    d:
    let
      kind = if isAttrs d.value then d.value._type or "" else "";
    in
    if kind == "if" then
      (if d.value.condition then flatten (d // { value = d.value.content; }) else [ ])
    else if kind == "merge" then
      concatMap (v: flatten (d // { value = v; })) d.value.contents
    else if kind == "override" then
      map (x: x // { priority = d.value.priority; }) (flatten (d // { value = d.value.content; }))
    else
      [ ({ priority = 100; } // d) ];
in
defs:
let
  all = concatLists (map flatten defs);
  best = foldl' (acc: d: if d.priority < acc then d.priority else acc) 9999 all;
in
map (d: removeAttrs d [ "priority" ]) (filter (d: d.priority == best) all)
