from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler_app.cron_words import CHINESE, MONTHS, WEEKDAYS, describe
from scheduler_app.errors import ScheduleError
from scheduler_app.timetable import Schedule, canonical


@pytest.mark.parametrize(
    ("cron", "english", "chinese"),
    [
        ("*/5 * * * *", "every 5 minutes", "每 5 分钟"),
        ("30 2 * * *", "at 02:30", "在 02:30"),
        (
            "0 9 * * MON-FRI",
            "at 09:00, Monday through Friday",
            "在 09:00，星期一 到 星期五",
        ),
        ("0 0 L * *", "at 00:00, on the last day of the month", "在 00:00，每月的最后一天"),
        ("0 0 1 JAN *", "at 00:00, on day 1 of the month, only in January",
         "在 00:00，每月的 1 号，仅在 1 月"),
    ],
)  # fmt: skip
def test_cron_is_said_in_the_readers_language(cron, english, chinese):
    assert describe(cron, "en") == english
    assert describe(cron, "zh-hans") == chinese


@pytest.mark.parametrize(
    ("schedule", "english"),
    [
        ("every 15 s", "every 15 seconds"),
        ("every 1 min", "every minute"),
        ("every 2 h", "every 2 hours"),
        ("at 2026-12-01T02:00:00", "once, at 2026-12-01 02:00:00"),
    ],
)
def test_intervals_and_single_times_are_said_as_well(schedule, english):
    assert describe(schedule, "en") == english


def test_an_unknown_language_reads_english():
    assert describe("30 2 * * *", "fr") == "at 02:30"


@pytest.mark.parametrize(
    "cron",
    [
        "0 0 * * NONSENSE",
        "*/90 * * * *",
        "*/7 * * * *",
        "*/60 * * * *",
        "0 */5 * * *",
        "0 0 */2 * *",
        "0 0 */2 * 1",
        "0 0 13 * FRI",
        "0 0 1 */5 *",
        "0 0 * * */2",
        "* */2 * * *",
        "*/15 9,17 * * *",
        "53-53 * * * *",
        "5/15 * * * *",
        "1-5,10-20 * * * *",
        "0 0 * * 0-7",
        "0 0 * * 0,7",
    ],
)
def test_what_has_no_true_words_is_shown_as_it_is(cron):
    assert describe(cron, "en") == cron
    assert describe(cron, "zh-hans") == cron


# What words mean: a grammar of the sentences that are shown, independent of the expression

NUMBERS = {name: number for number, name in enumerate(MONTHS, start=1)}
NUMBERS |= {name: number % 7 for number, name in enumerate(WEEKDAYS, start=1)}
ORDINALS = {name: n for n, name in enumerate(("first", "second", "third", "fourth", "fifth"), 1)}
ORDINALS |= {name: n for n, name in enumerate("一二三四五", 1)}
DAY = "(?:" + "|".join(WEEKDAYS) + ")"
MONTH = "(?:" + "|".join(MONTHS) + ")"
AND = r"(?:, and |, 和 | and | 和 |, )"
CLOCK = r"\d\d:\d\d"


def some(one: str) -> str:
    return f"{one}(?:{AND}{one})*"


def numbers(text: str) -> list[int]:
    return [NUMBERS[word] if word in NUMBERS else int(word) for word in re.split(AND, text)]


def clock(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


Test = Callable[[int, date], bool]
"""Of a minute of the day and a day."""


def is_last(day: date, days: int = 1) -> bool:
    return (day + timedelta(days=days)).month != day.month


def is_last_workday(day: date) -> bool:
    later = (day + timedelta(days=n) for n in range(1, 4))
    return day.weekday() < 5 and all(d.weekday() > 4 for d in later if d.month == day.month)


def between(first: int, last: int) -> Callable[[int], bool]:
    return lambda value: first <= value <= last


CLAUSES: list[tuple[str, str, Callable[[re.Match[str]], Test]]] = [
    (rf"every minute between ({CLOCK}) and ({CLOCK})", rf"在 ({CLOCK}) 和 ({CLOCK}) 之间的每分钟",
     lambda m: lambda t, d: clock(m[1]) <= t <= clock(m[2])),
    ("every minute", "每分钟", lambda m: lambda t, d: True),
    (r"every (\d+) minutes", r"每 (\d+) 分钟", lambda m: lambda t, d: t % 60 % int(m[1]) == 0),
    ("every hour", "每小时", lambda m: lambda t, d: t % 60 == 0),
    (rf"at ({some('[0-9]+')}) minutes past the hour", rf"在每小时的 ({some('[0-9]+')}) 分",
     lambda m: lambda t, d: t % 60 in numbers(m[1])),
    (r"minutes (\d+) through (\d+) past the hour", r"在每小时的 (\d+) 到 (\d+) 分钟",
     lambda m: lambda t, d: int(m[1]) <= t % 60 <= int(m[2])),
    (rf"between ({CLOCK}) and ({CLOCK})", rf"在 ({CLOCK}) 和 ({CLOCK}) 之间",
     lambda m: lambda t, d: clock(m[1]) <= t <= clock(m[2])),
    (rf"at ({some(CLOCK)})", rf"在 ({some(CLOCK)})",
     lambda m: lambda t, d: t in map(clock, re.split(AND, m[1]))),
    (r"every (\d+) hours", r"每 (\d+) 小时", lambda m: lambda t, d: t // 60 % int(m[1]) == 0),
    (rf"on day ({some('[0-9]+')}) of the month", rf"每月的 ({some('[0-9]+')}) 号",
     lambda m: lambda t, d: d.day in numbers(m[1])),
    (r"between day (\d+) and (\d+) of the month", r"在每月的 (\d+) 和 (\d+) 号之间",
     lambda m: lambda t, d: int(m[1]) <= d.day <= int(m[2])),
    ("on the last day of the month", "每月的最后一天", lambda m: lambda t, d: is_last(d)),
    ("on the last weekday of the month", "每月的最后一个平日",
     lambda m: lambda t, d: is_last_workday(d)),
    (rf"on the last ({DAY}) of the month", rf"每月的最后一个 ({DAY})",
     lambda m: lambda t, d: d.isoweekday() % 7 == NUMBERS[m[1]] and is_last(d, 7)),
    (rf"on the (\w+) ({DAY}) of the month", rf"在 第(.)个({DAY}) 每月",
     lambda m: lambda t, d: (d.isoweekday() % 7 == NUMBERS[m[2]]
                             and (d.day + 6) // 7 == ORDINALS[m[1]])),
    (rf"only on ({some(DAY)})", rf"仅在 ({some(DAY)})",
     lambda m: lambda t, d: d.isoweekday() % 7 in numbers(m[1])),
    (rf"({DAY}) through ({DAY})", rf"({DAY}) 到 ({DAY})",
     lambda m: lambda t, d: ((d.isoweekday() - NUMBERS[m[1]]) % 7
                             <= (NUMBERS[m[2]] - NUMBERS[m[1]]) % 7)),
    (rf"only in ({some(MONTH)})", rf"仅在 ({some(MONTH)})",
     lambda m: lambda t, d: d.month in numbers(m[1])),
    (rf"({MONTH}) through ({MONTH})", rf"({MONTH}) 到 ({MONTH})",
     lambda m: lambda t, d: NUMBERS[m[1]] <= d.month <= NUMBERS[m[2]]),
    (r"every (\d+) months", r"每 (\d+) 月", lambda m: lambda t, d: (d.month - 1) % int(m[1]) == 0),
]  # fmt: skip


def meaning(words: str, language: str) -> Test:
    """What `words` mean, clause by clause; every character of them has to be understood."""
    if language == "zh-hans":
        words = words.replace("，", ", ")
        for english, chinese in sorted(CHINESE.items(), key=lambda pair: -len(pair[1])):
            if not re.search(rf"每 {chinese}", words):  # every 3 months, not March
                words = words.replace(chinese, english)
    tests: list[Test] = []
    if re.fullmatch(r"(?:every|每) \d+ (?:hours|小时).*", words):  # at the full hour
        tests.append(lambda t, d: t % 60 == 0)
    while words:
        for clause in CLAUSES:
            pattern = clause[1 if language == "zh-hans" else 0]
            if found := re.match(rf"{pattern}\s*(?:, |$)", words):
                tests.append(clause[2](found))
                words = words[found.end() :]
                break
        else:
            pytest.fail(f"not understood: {words!r}")
    return lambda t, d: all(test(t, d) for test in tests)


BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
EARLIER = timedelta(minutes=1)


def check(cron: str, language: str) -> bool:
    """Compare the words of `cron` with its slots; returns whether it has words."""
    words = describe(cron, language)
    if words == cron:
        return False
    means = meaning(words, language)
    minute, hour, *days = cron.split()
    times = Schedule(f"{minute} {hour} * * *").between(BEGIN - EARLIER, BEGIN + ONE_DAY - EARLIER)
    dates = Schedule(f"0 0 {' '.join(days)}").between(
        BEGIN - EARLIER, BEGIN + 366 * ONE_DAY - EARLIER
    )
    some_time, some_day = next(Schedule(cron).between(BEGIN, BEGIN + 3000 * ONE_DAY)), None
    some_day = some_time.date()
    minute_of_day = some_time.hour * 60 + some_time.minute
    assert {t for t in range(1440) if means(t, some_day)} == {s.hour * 60 + s.minute for s in times}
    every_day = [(BEGIN + n * ONE_DAY).date() for n in range(366)]
    assert {d for d in every_day if means(minute_of_day, d)} == {s.date() for s in dates}
    return True


def part(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(least, most).map(str)
    if names:
        value |= st.sampled_from(names)
    span = st.tuples(value, value).map("-".join)
    step = st.tuples(st.just("*") | span | value, st.integers(1, most + 40).map(str)).map("/".join)
    term = value | span | step
    return st.just("*") | term | st.lists(term, min_size=2, max_size=4).map(",".join)


DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
crons = st.tuples(
    part(0, 59),
    part(0, 23),
    part(1, 31) | st.sampled_from(["*", "L", "LW"]),
    part(1, 12, ("JAN", "FEB", "MAY", "DEC")) | st.just("*"),
    part(0, 7, DAY_NAMES) | st.sampled_from(["*", "5L", "0L", "MON#2", "7#5", "1#1,3#2"]),
).map(" ".join)


@given(crons, st.sampled_from(["en", "zh-hans"]))
@example("30 9 * * 5-7", "zh-hans")
@example("0-10 9 * * 1-7", "en")
def test_words_mean_the_slots_or_are_left_out(cron, language):
    try:
        text = canonical(cron)
    except ScheduleError:
        return
    check(text, language)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("minute", ["*", "*/1", "*/15", "0", "5", "0,30", "5-10", "0,10,20"])
@pytest.mark.parametrize("hour", ["*", "*/1", "*/6", "0", "9", "9,17", "9-17", "9,12,17", "0-23"])
def test_times_of_every_form(minute, hour, language):
    check(canonical(f"{minute} {hour} * * *"), language)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "month", ["*", "2", "DEC", "1,7", "3-5", "1,2,11", "*/3", "*/1", "JAN-MAR"]
)
@pytest.mark.parametrize(
    ("day", "weekday"),
    [("1", "*"), ("1,15", "*"), ("29-31", "*"), ("L", "*"), ("LW", "*"), ("*", "7"), ("*", "SUN"),
     ("*", "1,3,5"), ("*", "1-5"), ("*", "5-7"), ("*", "0-6"), ("*", "MON#2"), ("*", "7#5"),
     ("*", "5L"), ("*", "0L"), ("*/1", "MON")],
)  # fmt: skip
def test_days_and_months_of_every_form_have_words(day, weekday, month, language):
    assert check(canonical(f"30 2 {day} {month} {weekday}"), language)


@pytest.mark.parametrize(
    "cron",
    ["* * * * *", "*/15 * * * *", "5 * * * *", "0 * * * *", "0,30 * * * *", "*/10 9-17 * * MON-FRI",
     "30 9-17 * * 1-5", "0 */6 * * *", "0 9,17 * * *"],
)  # fmt: skip
def test_usual_expressions_have_words(cron):
    assert check(cron, "en")
    assert check(cron, "zh-hans")
