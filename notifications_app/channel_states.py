"""Each channel's switches, pauses and last words. The one writer of ChannelState."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from notifications_app import reconsider
from notifications_app.channel_declaration import declaration_of
from notifications_app.channels import registry
from notifications_app.channels.base import Channel
from notifications_app.models import ChannelState

logger = logging.getLogger(__name__)


def all_states() -> list[ChannelState]:
    """One row for each channel, in the order of the registry; made where it is missing."""
    known = ChannelState.objects.in_bulk(registry.names())
    for name in registry.names():
        if name not in known:
            known[name] = ChannelState.objects.get_or_create(channel=name)[0]
    return [known[name] for name in registry.names()]


def read() -> dict[str, ChannelState]:
    """As `all_states`, by channel, without making the rows that are missing."""
    known = ChannelState.objects.in_bulk(registry.names())
    return {name: known.get(name) or ChannelState(channel=name) for name in registry.names()}


def state_of(channel: str) -> ChannelState:
    return next(state for state in all_states() if state.channel == channel)


def sync(*, job_file: Any, now: datetime) -> None:
    """Take over `CHANNELS` of the job file; a value changed here stays until the file changes it."""
    for state in all_states():
        if state.channel not in job_file.channels:
            continue
        wanted = declaration_of(job_file.channels[state.channel])
        changed = [name for name, value in wanted.items() if state.file_values.get(name) != value]
        for name in changed:
            setattr(state, name, wanted[name])
        if changed:
            state.file_values = wanted
            state.save(update_fields=[*changed, "file_values"])
        if "enabled" in changed:
            reconsider.channel_changed(state.channel)


def set_enabled(channel: str, enabled: bool, *, by: str) -> None:
    """Off: what is due ends at once with an error, and people get it in-app."""
    with transaction.atomic():
        ChannelState.objects.filter(pk=channel).update(enabled=enabled)
        reconsider.channel_changed(channel)
    logger.warning("channel_switched", extra={"channel": channel, "enabled": enabled, "by": by})


def set_held(channel: str, held: bool, *, by: str) -> None:
    """The kill switch: what is due waits; nothing is counted, nothing is lost."""
    ChannelState.objects.filter(pk=channel).update(held=held)
    logger.warning("channel_held", extra={"channel": channel, "held": held, "by": by})


def problem_of(state: ChannelState, channel: Channel | None = None) -> str:
    """Why nothing can be sent by this channel (by default the registry's); "" when it is up."""
    if not state.enabled:
        text = _("%(channel)s is switched off in the job file or the admin.")
        return text % {"channel": state.channel}
    return (channel or registry.shared(state.channel)).problem()


_fresh_until: dict[str, datetime] = {}
"""Channels whose success this process has written within the last second."""


def note_success(channel: str, now: datetime) -> bool:
    """Write that the channel delivers, once a second at most: every group of messages comes by here."""
    if _fresh_until.get(channel, now) > now:
        return False
    _fresh_until[channel] = now + timedelta(seconds=1)
    ChannelState.objects.filter(pk=channel).update(last_success_at=now, failures_in_a_row=0)
    return True


def note_failures(channel: str, count: int, error: str, now: datetime) -> int:
    """Book `count` failures without a success; returns how many there are in a row now."""
    _fresh_until.pop(channel, None)
    state = ChannelState.objects.select_for_update().get(pk=channel)
    state.failures_in_a_row += count
    state.last_failure_at, state.last_error = now, error
    state.save(update_fields=["failures_in_a_row", "last_failure_at", "last_error"])
    return state.failures_in_a_row


def with_problems(states: Iterable[ChannelState]) -> Mapping[str, str]:
    return {state.channel: problem_of(state) for state in states}


def ensure() -> None:
    """Make the rows of all channels, outside of any other transaction."""
    with transaction.atomic():
        all_states()
