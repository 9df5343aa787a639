"""How a run is told to end."""

from __future__ import annotations

import threading

import pytest

from scheduler_app.output import OutputBuffer
from scheduler_app.running import RunCancelled, RunHandle
from scheduler_app.states import Reason


@pytest.fixture
def handle():
    return RunHandle(1, "a", None, 1, OutputBuffer(1000))


def test_first_who_cancels_is_kept_and_others_change_nothing(handle):
    ends = []
    handle.on_cancel(lambda: ends.append(1))
    assert not handle.is_cancelled
    handle.check_cancelled()
    handle.cancel("olga")
    handle.cancel("igor", Reason.REPLACED)
    assert (handle.cancellation.by, handle.cancellation.reason) == ("olga", Reason.BY_PERSON)
    assert ends == [1]
    with pytest.raises(RunCancelled):
        handle.check_cancelled()


def test_cancelled_before_anybody_can_end_it_is_ended_then(handle):
    handle.cancel("olga")
    ends = []
    handle.on_cancel(lambda: ends.append(1))
    assert ends == [1]


def test_cancelling_meets_starting_and_is_never_missed():
    for _ in range(300):
        handle, ends = RunHandle(1, "a", None, 1, OutputBuffer(1000)), []
        thread = threading.Thread(target=handle.cancel, args=("olga",))
        thread.start()
        handle.on_cancel(lambda ends=ends: ends.append(1))
        thread.join()
        assert ends


def test_wish_to_end_passes_those_who_catch_errors(handle):
    def body():
        try:
            handle.check_cancelled()
        except Exception:
            pytest.fail("caught as an error")

    handle.cancel("olga")
    with pytest.raises(RunCancelled):
        body()
