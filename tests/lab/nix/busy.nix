# Work that nix cannot cache: makes an evaluation take as long as that of a real NixOS.
rounds:
builtins.foldl' (acc: n: acc + builtins.stringLength (builtins.hashString "sha256" (toString n))) 0 (
  builtins.genList (x: x) rounds
)
