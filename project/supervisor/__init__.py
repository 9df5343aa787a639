"""Starts Vigil's services together and keeps them up: `python -m project.supervisor`, used by scripts/run."""
