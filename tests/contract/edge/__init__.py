"""Traefik as compose/traefik says it, run for real on loopback: the engine, DNS, Cloudflare and the authority are played."""
