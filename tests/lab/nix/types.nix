# Option types: `check` says whether a value fits, `merge` joins definitions ({ file, value } each).
let
  inherit (builtins)
    all
    any
    attrNames
    concatLists
    concatStringsSep
    elem
    foldl'
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    match
    ;
  one =
    loc: defs:
    # one alone may be what cannot be compared, a function
    if length defs == 1 || all (d: d.value == (head defs).value) defs then
      (head defs).value
    else
      throw "The option `${concatStringsSep "." loc}' is defined ${toString (length defs)} times, differently";
  simple = name: check: {
    inherit name check;
    merge = one;
  };
  isString' = v: isString v || (isAttrs v && v ? outPath) || isPath v;
  ordered = import ./ordered.nix;
in
rec {
  str = simple "string" isString;
  singleLineStr = simple "single line" (v: isString v && match ".*\n.*" v == null);
  bool = simple "boolean" isBool;
  int = simple "integer" isInt;
  port = simple "port" (v: isInt v && v >= 0 && v <= 65535);
  path = simple "absolute path" (v: isPath v || (isString' v && builtins.substring 0 1 "${v}" == "/"));
  package = simple "package" isString';
  unspecified = anything;
  lines = {
    name = "lines";
    check = isString;
    merge = loc: defs: concatStringsSep "\n" (map (d: d.value) (ordered defs));
  };
  anything = {
    name = "anything";
    check = _: true;
    merge =
      loc: defs:
      if all (d: isAttrs d.value && !(d.value ? outPath)) defs then
        (attrsOf anything).merge loc defs
      else if length defs > 1 && all (d: isList d.value) defs then
        concatLists (map (d: d.value) defs)
      else
        one loc defs;
  };
  raw = anything;
  # a module for another evaluation
  deferredModule = {
    name = "module";
    check = v: isAttrs v || isFunction v || isPath v;
    merge = _: defs: { imports = map (d: d.value) defs; };
  };
  attrs = attrsOf anything;
  enum = values: simple "one of ${concatStringsSep ", " (map builtins.toJSON values)}" (v: elem v values);
  nullOr = t: {
    name = "null or ${t.name}";
    check = v: v == null || t.check v;
    merge = loc: defs: if all (d: d.value == null) defs then null else t.merge loc (builtins.filter (d: d.value != null) defs);
  };
  either = a: b: {
    name = "${a.name} or ${b.name}";
    check = v: a.check v || b.check v;
    merge = loc: defs: if all (d: a.check d.value) defs then a.merge loc defs else b.merge loc defs;
  };
  oneOf = ts: foldl' either (head ts) (builtins.tail ts);
  listOf = t: {
    name = "list of ${t.name}";
    check = isList;
    merge =
      loc: defs:
      let
        values = concatLists (map (d: map (v: { inherit (d) file; value = v; }) d.value) (ordered defs));
        wrong = builtins.filter (d: !(t.check d.value)) values;
      in
      if wrong != [ ] then
        throw "A definition for option `${concatStringsSep "." loc}' is not of type `list of ${t.name}'"
      else
        map (d: t.merge loc [ d ]) values;
  };
  attrsOf = t: {
    name = "attribute set of ${t.name}";
    check = isAttrs;
    merge =
      loc: defs:
      let
        names = attrNames (foldl' (acc: d: acc // d.value) { } defs);
        resolve = import ./priorities.nix;
        of =
          n:
          let
            here = resolve (concatLists (map (d: if d.value ? ${n} then [ { inherit (d) file; value = d.value.${n}; } ] else [ ]) defs));
          in
          if here == [ ] then
            [ ]
          else if any (d: !(t.check d.value)) here then
            throw "A definition for option `${concatStringsSep "." (loc ++ [ n ])}' is not of type `${t.name}'"
          else
            [
              {
                name = n;
                value = t.merge (loc ++ [ n ]) here;
              }
            ];
      in
      listToAttrs (concatLists (map of names));
  };
  lazyAttrsOf = attrsOf;
  submodule = modules: {
    name = "submodule";
    check = v: isAttrs v || isFunction v;
    merge =
      loc: defs:
      (import ./evalModules.nix {
        modules = (if isList modules then modules else [ modules ]) ++ map (d: if isFunction d.value then d.value else { config = d.value; }) defs;
        specialArgs = {
          name = builtins.elemAt loc (length loc - 1);
        };
        prefix = loc;
      }).config;
  };
}
