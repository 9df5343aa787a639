#!/usr/bin/env python3
"""Delivers notifications: `manage.py notification_worker` with the same arguments."""

from __future__ import annotations

from checkout import become_command

if __name__ == "__main__":
    become_command("notification_worker")
