"""Figures of the channels."""

from __future__ import annotations


def connect() -> None:
    pass
