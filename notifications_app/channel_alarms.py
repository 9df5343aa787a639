"""Alerts about a channel itself, delivered by all other channels.

A refusal is one alert for each lane while it lasts; anything else is one a channel, and is raised once an hour at most.
"""

from __future__ import annotations

from datetime import datetime

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import recover
from alerts_app.models import AlertRecord
from alerts_app.states import Source
from notifications_app import conf
from notifications_app.channels import registry
from notifications_app.lanes import Lane
from notifications_app.models import ChannelState, LaneState
from scheduler_app import links
from scheduler_app.states import Severity

WHAT_TO_DO = (
    "Messages wait, and people get them in-app meanwhile. Correct the settings and restart the worker, "
    "or correct it at the provider and resume the channel."
)


def failed(channel: str, in_a_row: int, error: str, now: datetime) -> None:
    """After `escalate_after` failures in a row (of the channel's declaration) somebody has to know."""
    state = ChannelState.objects.get(pk=channel)
    if state.escalate_after and in_a_row >= state.escalate_after:
        _raise(state, f"{channel} failed {in_a_row} times in a row", error, now)


def breaker_opened(lane: Lane, error: str, now: datetime) -> None:
    state = ChannelState.objects.get(pk=lane.channel)
    if not lane.name:
        _raise(state, f"{lane.channel} does not get through and rests", error, now)


def refused(lane: Lane, error: str, now: datetime) -> None:
    """The gateway refuses the channel, or one lane of it, until its settings are mended. At the first refusal."""
    name = registry.shared(lane.channel).lane_name(lane.name) if lane.name else ""
    title = f"{lane.channel}{f' ({name})' if name else ''} is refused by its gateway"
    state = ChannelState.objects.get(pk=lane.channel)
    _raise(state, title, f"{error}\n\n{WHAT_TO_DO}", now, key=_key_of_refusal(lane))


def message_refused(channel: str, error: str, now: datetime) -> None:
    """The gateway does not take a message from us (no relaying, taken for spam), and may take others."""
    title = f"{channel} is refused for some messages"
    _raise(ChannelState.objects.get(pk=channel), title, error, now)


def cap_reached(channel: str, text: str, now: datetime) -> None:
    _raise(ChannelState.objects.get(pk=channel), f"{channel} reached its daily cap", text, now)


def worked(channel: str, now: datetime) -> None:
    """The channel delivered something: what is open about it is over, but for lanes that are still refused."""
    clear = LaneState.objects.filter(channel=channel, refused_settings="")
    lanes = [Lane(channel, name) for name in clear.values_list("lane", flat=True)]
    _end([_fingerprint(channel), *map(_key_of_refusal, lanes)], now)


def lane_worked(lane: Lane, now: datetime) -> None:
    """The gateway of `lane` took a message."""
    _end([_key_of_refusal(lane)], now)


def _end(keys: list[str], now: datetime) -> None:
    if AlertRecord.objects.filter(open_key__in=keys).exists():
        recover(keys, happened_at=now, source_key=f"{keys[0]}:well:{now:%Y%m%d%H%M%S}")


def _raise(state: ChannelState, title: str, body: str, now: datetime, *, key: str = "") -> None:
    """With a `key` each call is an occurrence of its own; without one those of an hour are one."""
    fingerprint = _fingerprint(state.channel)
    raise_alert(
        NewAlert(
            fingerprint=key or fingerprint,
            title=title,
            severity=Severity.ERROR,
            source=Source.CHANNEL,
            category="notifications",
            body=body,
            labels={"channel": state.channel},
            owner=state.owner,
            link=links.absolute(conf.get().SITE_URL, "vigil_notifications:channels"),
            source_key=None if key else f"{fingerprint}:{now:%Y%m%d%H}",
            happened_at=now,
        )
    )


def _fingerprint(channel: str) -> str:
    return f"channel:{channel}"


def _key_of_refusal(lane: Lane) -> str:
    return f"{_fingerprint(lane.channel)}:refused:{lane.name}"


def channel_of(alert: AlertRecord) -> str:
    """The channel that an alert is about, "" for others."""
    return str(alert.labels.get("channel", "")) if alert.source == Source.CHANNEL else ""
