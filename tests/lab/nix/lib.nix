# The part of nixpkgs' lib that modules of a homelab use, written for the lab: names and meaning are nixpkgs'.
let
  inherit (builtins)
    attrNames
    attrValues
    concatLists
    concatStringsSep
    elem
    filter
    foldl'
    hasAttr
    head
    isAttrs
    isList
    isString
    length
    listToAttrs
    map
    replaceStrings
    stringLength
    substring
    ;
in
rec {
  inherit
    attrNames
    attrValues
    concatLists
    concatStringsSep
    elem
    filter
    foldl'
    hasAttr
    head
    isAttrs
    isList
    isString
    length
    listToAttrs
    replaceStrings
    stringLength
    substring
    ;
  inherit (builtins)
    concatMap
    isBool
    isFunction
    isInt
    mapAttrs
    split
    toJSON
    toString
    ;

  # attribute sets
  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: set: map (n: f n set.${n}) (attrNames set);
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
  filterAttrs = p: set: listToAttrs (concatMapList (n: if p n set.${n} then [ (nameValuePair n set.${n}) ] else [ ]) (attrNames set));
  genAttrs = names: f: listToAttrs (map (n: nameValuePair n (f n)) names);
  optionalAttrs = c: set: if c then set else { };
  recursiveUpdate =
    a: b:
    a
    // builtins.mapAttrs (n: v: if isAttrs v && isAttrs (a.${n} or null) && !(v ? _type) then recursiveUpdate a.${n} v else v) b;
  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if isAttrs set && set ? ${head path} then
      attrByPath (builtins.tail path) default set.${head path}
    else
      default;

  # lists
  concatMapList = f: list: concatLists (map f list);
  concatStrings = concatStringsSep "";
  optional = c: x: if c then [ x ] else [ ];
  optionals = c: xs: if c then xs else [ ];
  unique = foldl' (acc: x: if elem x acc then acc else acc ++ [ x ]) [ ];
  subtractLists = gone: filter (x: !(elem x gone));
  flatten = x: if isList x then concatLists (map flatten x) else [ x ];
  any = builtins.any;
  all = builtins.all;
  toList = x: if isList x then x else [ x ];

  # strings
  optionalString = c: s: if c then s else "";
  concatMapStringsSep =
    sep: f: list:
    concatStringsSep sep (map f list);
  concatMapStrings = f: list: concatMapStringsSep "" f list;
  concatLines = list: concatMapStrings (s: s + "\n") list;
  hasPrefix = p: s: substring 0 (stringLength p) s == p;
  hasSuffix = x: s: stringLength s >= stringLength x && substring (stringLength s - stringLength x) (-1) s == x;
  removePrefix = p: s: if hasPrefix p s then substring (stringLength p) (-1) s else s;
  removeSuffix = x: s: if hasSuffix x s then substring 0 (stringLength s - stringLength x) s else s;
  splitString = sep: s: filter isString (builtins.split (escapeRegex sep) s);
  escapeRegex = replaceStrings [ "." "*" "+" "?" "(" ")" "[" "]" "{" "}" "|" "^" "$" "\\" ] [ "\\." "\\*" "\\+" "\\?" "\\(" "\\)" "\\[" "\\]" "\\{" "\\}" "\\|" "\\^" "\\$" "\\\\" ];
  escapeShellArg = s: "'" + replaceStrings [ "'" ] [ "'\\''" ] (toString s) + "'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  getExe = p: "${p}/bin/${p.meta.mainProgram or p.pname or p.name}";
  makeBinPath = concatMapStringsSep ":" (p: "${p}/bin");
  boolToString = b: if b then "true" else "false";

  # modules
  mkOption = o: o // { _type = "option"; };
  mkEnableOption = what: mkOption {
    type = types.bool;
    default = false;
    description = "Whether to enable ${what}.";
  };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;
  literalExpression = text: { inherit text; };

  types = import ./types.nix;
  evalModules = import ./evalModules.nix;
}
