from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.errors import ScheduleError
from scheduler_app.timetable import canonical

INSTEAD = [
    ("0 22-2 * * *", "0 22-23,0-2 * * *"),
    ("0 22-4/2 * * *", "0 22,0,2,4 * * *"),
    ("55-5 * * * *", "55-59,0-5 * * * *"),
    ("0 0 25-5 * *", "0 0 25-31,1-5 * *"),
    ("0 0 1 11-2 *", "0 0 1 11-12,1-2 *"),
    ("0 0 1 NOV-FEB *", "0 0 1 NOV-DEC,JAN-FEB *"),
    ("0 0 * * 6-0", "0 0 * * 6,0"),
    ("0 0 * * 7-2", "0 0 * * 0-2"),
    ("0 0 * * FRI-MON", "0 0 * * FRI-SAT,SUN-MON"),
    ("0 0 15W * *", "0 0 15 * *"),
    ("0 0 L-3 * *", "0 0 L * *"),
    ("0 0 * * L", "0 0 * * SAT"),
    ("0 0 * * FRIL", "0 0 * * 5L"),
    ("H * * * *", "17 * * * *"),
    ("H/15 * * * *", "*/15 * * * *"),
    ("H(0-29)/10 * * * *", "0-29/10 * * * *"),
    ("H H(1-4) * * *", "17 1 * * *"),
    ("0~59 4 * * *", "0 4 * * *"),
    ("0 0 12 * * ?", "0 12 * * *"),
    ("0 15 10 ? * 2-6", "15 10 * * MON-FRI"),
    ("0 15 10 ? * 6L", "15 10 * * 5L"),
    ("0 15 10 ? * 6#3 2026", "15 10 * * 5#3"),
    ("0 0 12 1/5 * ? *", "0 12 1/5 * *"),
    ("*/10 * * * * *", "every 10 s"),
    ("* * * * * *", "every 1 s"),
    ("0 12 * * * 2026", "0 12 * * *"),
    ("0 0 ? * ?", "0 0 * * *"),
    ("@dialy", "@daily"),
    ("@minutely", "* * * * *"),
    ("@every 1h30m", "every 90 min"),
    ("TZ=Asia/Shanghai 0 5 * * *", "0 5 * * *"),
    ("CRON_TZ=UTC 0 5 * * *", "0 5 * * *"),
    ("0 5 * * Monday-Friday", "0 5 * * MON-FRI"),
    ("0 5 * * montag", "0 5 * * MON"),
    ("0 5 * * Mi", "0 5 * * WED"),
    ("0 5 1 août *", "0 5 1 AUG *"),
    ("0 5 * * 星期一", "0 5 * * MON"),
    ("0 5 1 1月 *", "0 5 1 JAN *"),
    ("＊／５ ＊ ＊ ＊ ＊", "*/5 * * * *"),
    ("0 5 * * 1–5", "0 5 * * 1-5"),
    ("\u200b0 5 * * *", "0 5 * * *"),
    ("'0 5 * * *'", "0 5 * * *"),
    (r"\* \* \* \* \*", "* * * * *"),
    ("0 24 * * *", "0 0 * * *"),
    ("60 * * * *", "0 * * * *"),
    ("0 0-24 * * *", "0 0-23 * * *"),
    ("0 0 0 * *", "0 0 1 * *"),
    ("1, 2 * * * *", "1,2 * * * *"),
    ("1,,2 * * * *", "1,2 * * * *"),
    ("/5 * * * *", "*/5 * * * *"),
    ("*/0 * * * *", "* * * * *"),
    ("0 5 * * * root", "0 5 * * *"),
    ("17 * * * * root run-parts /etc/cron.hourly", "17 * * * *"),
    ("02:30", "30 2 * * *"),
]


@pytest.mark.parametrize(("written", "instead"), INSTEAD)
def test_what_other_programs_take_is_refused_with_what_to_write(written, instead):
    with pytest.raises(ScheduleError) as refusal:
        canonical(written)
    assert f"Write {instead!r}." in str(refusal.value)
    assert canonical(instead)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("@reboot", "the start of a machine is no time"),
        ("0 0 L-3 * *", "'28 1,3,5,7,8,10,12', '27 4,6,9,11' and '25 2'"),
        ("TZ=Asia/Shanghai 0 5 * * *", "timezone = 'Asia/Shanghai'"),
        ("0 5 * * 8", "'8' is no day of week: write numbers from 0 to 7 or names from SUN to SAT"),
        ("0 99 * * *", "'99' is no hour: write numbers from 0 to 23"),
        ("0 0 * * 1#6", "'1#6' is no day of week"),
        ("5-10-15 * * * *", "'5-10-15' is no minute"),
        ("a b c d e", "'A' is no minute"),
        ("0 5 * *", "write five fields"),
        ("9" * 5000 + " * * * *", "more than 1000 characters"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_the_reason(written, words):
    with pytest.raises(ScheduleError) as refusal:
        canonical(written)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("*/5\t* * *\t*", "*/5 * * * *"),
        ("0 0 LW * *", "0 0 LW * *"),
        ("0 0 * * mon#2", "0 0 * * MON#2"),
        ("@Weekly", "0 0 * * 0"),
        ("@midnight", "0 0 * * *"),
    ],
)
def test_what_cron_here_understands_is_taken(written, means):
    assert canonical(written) == means


def test_refusal_is_in_the_readers_language():
    with translation.override("zh-hans"), pytest.raises(ScheduleError, match="0 22-23,0-2"):
        canonical("0 22-2 * * *")


@given(
    st.text(st.sampled_from("0159*/,-#?LWH ~()@SMONJTUE年月"), max_size=40) | st.text(max_size=210)
)
def test_any_text_is_taken_or_refused(text):
    try:
        found = canonical(text)
    except ScheduleError:
        return
    assert canonical(found) == found
