"""What teams run today. The modules here drive it; `side/` runs in an environment of its own, that of the peers."""
