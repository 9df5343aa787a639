"""The suite `delivery`: messages that are due, and what the workers make of them."""

from __future__ import annotations

from benchmarks import orm

orm.set_up("benchmarks.ours.settings")

from benchmarks.delivery import drains, mail, memory, raised  # noqa: E402
from benchmarks.trial import Trial  # noqa: E402

TRIALS = (
    Trial(name="null", run=drains.null_gateway),
    Trial(name="two-workers", run=drains.two_workers, not_quick="it takes a minute"),
    Trial(name="backlog", run=drains.backlog, not_quick="it makes two million rows"),
    Trial(name="enqueue", run=raised.enqueue),
    Trial(name="mail", run=mail.mail),
    Trial(name="urgent", run=raised.urgent),
    Trial(name="storm", run=raised.storm),
    Trial(name="idle", run=raised.idle),
    Trial(name="hung", run=mail.hung, not_quick="a worker that waits for a server ends late"),
    Trial(name="memory", run=memory.memory, not_quick="it takes 200,000 messages"),
)
