# evalModules of the lab: imports, options with types and defaults, mkIf/mkMerge/mkOverride, unknown options refused, extendModules.
{
  modules,
  specialArgs ? { },
  prefix ? [ ],
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    foldl'
    functionArgs
    isAttrs
    isFunction
    isPath
    isString
    map
    mapAttrs
    ;
  resolve = import ./priorities.nix;
  lib = import ./lib.nix;

  # ---- modules, flat, each { file, options, config } ------------------------------------------------------------------------
  args = {
    inherit lib config options;
  }
  // (resolvedArgs // specialArgs);
  call =
    f:
    let
      wanted = functionArgs f;
    in
    f (args // mapAttrs (n: _: args.${n} or (throw "module argument `${n}' is not known")) (removeAttrs wanted (attrNames args)));
  load =
    file: m:
    if isPath m || isString m then
      load (toString m) (import m)
    else if isFunction m then
      load file (call m)
    else
      let
        structured = m ? config || m ? options;
        own = {
          inherit file;
          options = m.options or { };
          config = if structured then m.config or { } else removeAttrs m [ "imports" "_file" "key" "freeformType" ];
          freeform = m.freeformType or null;
        };
      in
      concatMap (load file) (m.imports or [ ]) ++ [ own ];
  flat = concatMap (load "<inline>") modules;

  # ---- options ----------------------------------------------------------------------------------------------------------------
  isOption = o: isAttrs o && (o._type or "") == "option";
  mergeOptions =
    loc: a: b:
    if isOption a || isOption b then
      throw "option `${concatStringsSep "." loc}' is declared twice"
    else
      a // mapAttrs (n: v: if a ? ${n} then mergeOptions (loc ++ [ n ]) a.${n} v else v) b;
  declared = foldl' (acc: m: mergeOptions prefix acc m.options) { } flat;
  freeform = foldl' (acc: m: if m.freeform != null then m.freeform else acc) null flat;

  # ---- definitions --------------------------------------------------------------------------------------------------------------
  # mkIf and mkMerge above the option that they are about are pushed down to it
  pushDown =
    v:
    let
      kind = if isAttrs v then v._type or "" else "";
    in
    if kind == "if" then
      map (x: mapAttrs (_: c: { _type = "if"; inherit (v) condition; content = c; }) x) (pushDown v.content)
    else if kind == "merge" then
      concatMap pushDown v.contents
    else if kind == "override" then
      map (x: mapAttrs (_: c: { _type = "override"; inherit (v) priority; content = c; }) x) (pushDown v.content)
    else
      [ v ];
  definitions = concatMap (m: map (value: { inherit (m) file; inherit value; }) (pushDown m.config)) flat;

  evaluate =
    loc: opts: defs:
    let
      sets = concatMap (d: map (value: d // { inherit value; }) (pushDown d.value)) defs;
      unknown = concatMap (d: map (n: { inherit n; inherit (d) file; }) (builtins.filter (n: !(opts ? ${n})) (attrNames d.value))) sets;
      of = n: o: concatMap (d: if d.value ? ${n} then [ { inherit (d) file; value = d.value.${n}; } ] else [ ]) sets;
      value =
        n: o:
        if isOption o then
          let
            here = resolve (of n o);
            t = o.type or lib.types.anything;
            at = loc ++ [ n ];
            bad = builtins.filter (d: !(t.check (unordered d.value))) here;
            merged =
              if here == [ ] then
                (o.default or (throw "The option `${concatStringsSep "." at}' was accessed but has no value defined. Try setting the option."))
              else if bad != [ ] then
                throw "A definition for option `${concatStringsSep "." at}' is not of type `${t.name}' (${(builtins.head bad).file})"
              else
                t.merge at here;
          in
          (o.apply or (x: x)) (if here == [ ] && t.name == "submodule" then t.merge at [ { file = "default"; value = merged; } ] else merged)
        else
          evaluate (loc ++ [ n ]) o (of n o);
      free = if freeform != null && loc == prefix then freeform.merge loc (map (d: d // { value = removeAttrs d.value (attrNames opts); }) sets) else { };
    in
    if unknown != [ ] && !(freeform != null && loc == prefix) then
      throw "The option `${concatStringsSep "." (loc ++ [ (builtins.head unknown).n ])}' does not exist (${(builtins.head unknown).file})"
    else
      free // mapAttrs value opts;
  unordered = v: if isAttrs v && (v._type or "") == "order" then v.content else v;

  resolvedArgs = specialArgs // { inherit extendModules; };
  options = declared;
  config = evaluate prefix declared definitions;
  extendModules =
    {
      modules ? [ ],
      specialArgs ? { },
    }@more:
    import ./evalModules.nix {
      modules = modules' ++ more.modules or [ ];
      specialArgs = specialArgs' // more.specialArgs or { };
      inherit prefix;
    };
  modules' = modules;
  specialArgs' = specialArgs;
in
{
  inherit config options extendModules;
}
