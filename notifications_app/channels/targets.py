"""Where a URL comes from decides whose fault it is: a person's own one, or the one that the site has for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    RefusedAddressError,
)


@dataclass(frozen=True, slots=True)
class Target:
    """The URL is a secret as a whole."""

    url: str = field(repr=False)
    is_own: bool


def target_of(own: str, of_site: str) -> Target | None:
    """The person's own URL, else that of the site; None where there is neither."""
    if own.strip():
        return Target(own.strip(), is_own=True)
    return Target(of_site, is_own=False) if of_site else None


@contextmanager
def blaming(target: Target) -> Iterator[None]:
    """A wrong URL of one person does not make the channel unusable; one in the settings is no person's fault."""
    try:
        yield
    except ConfigurationError as error:
        if not target.is_own:
            raise
        raise _as(PermanentError, error) from error
    except RefusedAddressError as error:
        if target.is_own:
            raise
        raise _as(ConfigurationError, error) from error


def _as(kind: type[DeliveryError], error: DeliveryError) -> DeliveryError:
    return kind(str(error), code=error.code, answer=error.answer)
