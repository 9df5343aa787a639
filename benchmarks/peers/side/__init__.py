"""Runs under the peers' Python: nothing of Vigil is imported here, nor installed beside it."""
