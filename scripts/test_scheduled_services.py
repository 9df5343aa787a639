#!/usr/bin/env python3
"""Checks every scheduled job: `manage.py verify_jobs` with the same arguments."""

from __future__ import annotations

from checkout import become_command

__test__ = False  # the name is for people, not for pytest

if __name__ == "__main__":
    become_command("verify_jobs")
