"""Claims as a worker makes them, without its threads."""

from __future__ import annotations

from functools import partial

from notifications_app import claims
from notifications_app.board import Board
from notifications_app.channels import registry
from notifications_app.channels.base import Channel
from notifications_app.claims import Claim
from notifications_app.dispatcher import NotificationDispatcher
from scheduler_app.clock import db_now


def dispatcher_of(channel: Channel) -> NotificationDispatcher:
    """A dispatcher in which `channel` stands in for the one of its name."""
    own = {name: registry.shared(name) for name in registry.names()}
    return NotificationDispatcher(own | {channel.name: channel})


def board_of(channel: Channel) -> Board:
    return Board.read(db_now(), partial(dispatcher_of(channel).claimant, worker=None))


def claim_one(channel: Channel, most: int = 1) -> Claim | None:
    """At most `most` messages of the first open lane of `channel`, or one that was lost with a worker."""
    board = board_of(channel)
    for lane, groups in board.open_lanes().items():
        if lane.channel == channel.name:
            by = board.channels[lane.channel]
            return claims.claim(groups, most, by, is_watched=board.is_watched(lane))
    for alone, lanes in enumerate(claims.suspect_lanes(board.now)):
        mine = [lane for lane in lanes if lane.channel == channel.name and board.is_open(lane)]
        claimants = {lane: board.channels[lane.channel] for lane in mine}
        if claim := claims.claim_suspect(claimants, alone=bool(alone)):
            return claim
    return None
