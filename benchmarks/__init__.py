"""Vigil measured beside what teams run today: `python -m benchmarks SUITE`; docs/benchmarks.md says more."""
