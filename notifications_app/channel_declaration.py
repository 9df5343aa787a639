"""The section `CHANNELS` of the job file, validated (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from notifications_app.rate_limits import RATE_LIMIT
from scheduler_app.closest import suggestion
from scheduler_app.jobfile import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDeclaration:
    """One entry of `CHANNELS`; whoever leaves a field out gets its default."""

    enabled: bool = True
    held: bool = False
    owner: str = ""
    rate_limit: str = ""
    sla_failure_share: float = 0.05
    escalate_after: int | None = None
    fallback: str = ""


KINDS: dict[str, tuple[type, ...]] = {
    "enabled": (bool,),
    "held": (bool,),
    "owner": (str,),
    "rate_limit": (str,),
    "sla_failure_share": (float, int),
    "escalate_after": (int, type(None)),
    "fallback": (str,),
}
HINTS = {
    "rate_limit": "Write it as in 20/minute; empty: what the channel takes.",
    "sla_failure_share": "A share lies between 0 and 1.",
}
NAMES = tuple(field.name for field in fields(ChannelDeclaration))


def declaration_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a valid entry, defaults filled in."""
    return asdict(ChannelDeclaration(**raw))


def faults_in(raw: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Fault]:
    """Every fault of the section: unknown channels, unknown fields, values of a wrong kind."""
    for channel, entry in raw.items():
        if channel not in known:
            hint = f"{suggestion(channel, known)} Channels are {', '.join(known)}.".strip()
            yield _fault(channel, "", channel, "there is no such channel", hint)
        for name, value in entry.items() if isinstance(entry, Mapping) else ():
            if name not in NAMES:
                hint = suggestion(name, NAMES) or f"Fields are {', '.join(NAMES)}."
                yield _fault(channel, str(name), value, "unknown field", hint)
            elif not _fits(name, value):
                kinds = " or ".join(kind.__name__ for kind in KINDS[name])
                hint = HINTS.get(name, "Correct the value.")
                yield _fault(channel, name, value, f"has to be {kinds}", hint)


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool) and bool not in KINDS[name]:
        return False
    if not isinstance(value, KINDS[name]):
        return False
    if name == "rate_limit":
        return not value or RATE_LIMIT.fullmatch(str(value)) is not None
    return name != "sla_failure_share" or 0 <= value <= 1  # type: ignore[operator]


def _fault(channel: str, name: str, value: Any, problem: str, hint: str) -> Fault:
    where = f"channel {channel}"
    return Fault(where=where, field=name, value=repr(value)[:80], problem=problem, hint=hint)
