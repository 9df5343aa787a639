"""What every user model can be asked."""

from __future__ import annotations

from typing import Any


def is_staff(user: Any) -> bool:
    """Whether `user` may change things; a user model without `is_staff` has no staff, and nobody is none."""
    return bool(user.is_authenticated and getattr(user, "is_staff", False))
