"""Alerts about a channel itself. They are told by all other channels, once an hour at most."""

from __future__ import annotations

from datetime import datetime

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import recover
from alerts_app.models import AlertRecord
from alerts_app.states import Source
from notifications_app import conf
from notifications_app.lanes import Lane
from notifications_app.models import ChannelState
from scheduler_app import links
from scheduler_app.states import Severity


def failed(channel: str, in_a_row: int, error: str, now: datetime) -> None:
    """After `escalate_after` failures in a row (of the channel's declaration) somebody has to know."""
    state = ChannelState.objects.get(pk=channel)
    if state.escalate_after and in_a_row >= state.escalate_after:
        _raise(state, f"{channel} failed {in_a_row} times in a row", error, now)


def breaker_opened(lane: Lane, error: str, now: datetime) -> None:
    state = ChannelState.objects.get(pk=lane.channel)
    if not lane.name:
        _raise(state, f"{lane.channel} does not get through and rests", error, now)


def cap_reached(channel: str, text: str, now: datetime) -> None:
    _raise(ChannelState.objects.get(pk=channel), f"{channel} reached its daily cap", text, now)


def worked(channel: str, now: datetime) -> None:
    """The channel delivered something: what is open about it is over."""
    key = _fingerprint(channel)
    if AlertRecord.objects.filter(open_key=key).exists():
        recover([key], happened_at=now, source_key=f"{key}:well:{now:%Y%m%d%H%M%S}")


def _raise(state: ChannelState, title: str, body: str, now: datetime) -> None:
    raise_alert(
        NewAlert(
            fingerprint=_fingerprint(state.channel),
            title=title,
            severity=Severity.ERROR,
            source=Source.CHANNEL,
            category="notifications",
            body=body,
            labels={"channel": state.channel},
            owner=state.owner,
            link=links.absolute(conf.get().SITE_URL, "vigil_notifications:channels"),
            source_key=f"{_fingerprint(state.channel)}:{now:%Y%m%d%H}",
            happened_at=now,
        )
    )


def _fingerprint(channel: str) -> str:
    return f"channel:{channel}"


def channel_of(alert: AlertRecord) -> str:
    """The channel that an alert is about, "" for others."""
    return str(alert.labels.get("channel", "")) if alert.source == Source.CHANNEL else ""
