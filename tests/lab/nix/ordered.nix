# mkBefore and mkAfter: definitions in the order of their priority (1000 without one), unwrapped.
defs:
let
  priority = d: if builtins.isAttrs d.value && (d.value._type or "") == "order" then d.value.priority else 1000;
  unwrap = d: if builtins.isAttrs d.value && (d.value._type or "") == "order" then d // { value = d.value.content; } else d;
in
map unwrap (builtins.sort (a: b: priority a < priority b) defs)
