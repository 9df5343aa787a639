from __future__ import annotations


class DemoError(Exception):
    """The demo would touch something that is not its own; the text says what."""
