"""When a failed webhook is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from core.settings import Settings
from workers.retry_policy import JITTER, LONGEST_RETRY_AFTER, RetryPolicy, retry_after_seconds


def test_the_default_schedule_is_the_one_of_standard_webhooks():
    hours = (2, 5, 10, 14, 20, 24)
    assert (0, 5, 300, 1800, *(3600 * hour for hour in hours)) == RetryPolicy.parse(Settings().webhook_schedule).delays


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_delay_is_jittered_upwards(attempts):
    schedule = RetryPolicy.parse("0,5,300,1800")
    seen = {schedule.delay(attempts) for _ in range(50)}
    assert schedule.delays[attempts] <= min(seen)
    assert schedule.delays[attempts] * (1 + JITTER) >= max(seen)
    assert len(seen) > 1


def test_the_last_attempt_has_no_next():
    schedule = RetryPolicy.parse("0,5")
    assert schedule.delay(1) is not None
    assert schedule.delay(2) is None
    assert schedule.delay(2, retry_after=1.0) is None
    assert schedule.delay(99) is None


def test_a_receiver_can_only_lengthen_the_wait():
    schedule = RetryPolicy.parse("0,5,300")
    assert 60 <= schedule.delay(1, retry_after=60) <= 72
    assert 5 <= schedule.delay(1, retry_after=1) <= 6


@pytest.mark.parametrize("text", ["", "soon", "0,,5", "0,-1", "0,nan", "0,inf"])
def test_a_wrong_schedule_names_the_variable(text):
    with pytest.raises(ValueError, match="ATELIER_WEBHOOK_SCHEDULE"):
        RetryPolicy.parse(text)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("99999999999", LONGEST_RETRY_AFTER),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_read_as_in_rfc_9110(header, seconds):
    headers = {} if header is None else {"retry-after": header}
    assert seconds == retry_after_seconds(headers, now=datetime.now(UTC))


def test_a_date_beyond_all_calendars_is_nonsense():
    headers = {"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}
    assert None is retry_after_seconds(headers, now=datetime.now(UTC))


ANSWERED = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
"""A time that is not that of this machine."""


def test_retry_after_as_a_date_counts_from_the_answers_own():
    headers = {
        "retry-after": format_datetime(ANSWERED + timedelta(seconds=90), usegmt=True),
        "date": format_datetime(ANSWERED, usegmt=True),
    }
    assert 90 == retry_after_seconds(headers)
    assert 90 == retry_after_seconds(headers, now=datetime.now(UTC))


@pytest.mark.parametrize("date", [{}, {"date": "soon"}])
def test_without_a_date_of_its_own_the_databases_counts(date):
    headers = {"retry-after": format_datetime(ANSWERED + timedelta(seconds=90), usegmt=True), **date}
    assert 90 == retry_after_seconds(headers, now=ANSWERED)
    assert None is retry_after_seconds(headers)


def test_retry_after_without_a_zone_is_in_utc():
    header = format_datetime((ANSWERED + timedelta(seconds=90)).replace(tzinfo=None))
    assert header.endswith("-0000")
    assert 90 == retry_after_seconds({"retry-after": header}, now=ANSWERED)
