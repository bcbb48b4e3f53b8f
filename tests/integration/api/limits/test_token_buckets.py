"""Token buckets in a real Valkey, and the same without one."""

import asyncio
import time

import pytest
from redis import Redis

from api.limits.token_buckets import PREFIX, LocalBuckets, Rate, TokenBuckets
from core.settings import Settings

SLOW = Rate(0.1, 5)
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(params=["redis", "here"])
def settings(request, broker_url):
    return Settings(broker_url=broker_url if request.param == "redis" else NOWHERE, broker_timeout=10.0)


def taken(settings, *names):
    """The answers to takes from slow buckets, one after the other."""

    async def work():
        buckets = TokenBuckets(settings)
        answers = [await buckets.take(name, SLOW) for name in names]
        await buckets.close()
        return answers

    return asyncio.run(work())


def test_a_bucket_empties_and_says_what_is_left(settings):
    answers = taken(settings, *["a"] * 7)
    assert [True] * 5 + [False] * 2 == [answer.allowed for answer in answers]
    assert [4, 3, 2, 1, 0, 0, 0] == [answer.remaining for answer in answers]
    assert 9 < answers[-1].retry_after <= 10
    assert 49 < answers[-1].reset_after <= 50


def test_looking_takes_nothing():
    buckets = LocalBuckets()
    assert [5] * 20 == [buckets.take("a", SLOW, look_only=True).remaining for _ in range(20)]
    assert [True] * 5 == [buckets.take("a", SLOW).allowed for _ in range(5)]
    assert not buckets.take("a", SLOW, look_only=True).allowed


def test_each_name_has_a_bucket(settings):
    answers = taken(settings, *["a"] * 6, "b")
    assert [False, True] == [answer.allowed for answer in answers[-2:]]


def test_a_bucket_fills_again(settings):
    quick = Rate(100.0, 2)

    async def work():
        buckets = TokenBuckets(settings)
        began, allowed = time.monotonic(), 0
        while allowed < 30:
            answer = await buckets.take("a", quick)
            allowed += answer.allowed
            await asyncio.sleep(answer.retry_after)
        await buckets.close()
        return time.monotonic() - began

    assert (30 - 2) / 100 <= asyncio.run(work())


def test_a_bucket_in_redis_is_gone_once_it_is_full(broker_url):
    settings = Settings(broker_url=broker_url, broker_timeout=10.0)
    taken(settings, "a", "a")
    with Redis.from_url(broker_url) as client:
        assert [f"{PREFIX}a".encode()] == client.keys()
        assert 19_000 < client.pttl(f"{PREFIX}a") <= 20_000


def test_a_script_that_redis_forgot_is_sent_again(broker_url):
    async def work():
        buckets = TokenBuckets(Settings(broker_url=broker_url, broker_timeout=10.0))
        await buckets.take("a", SLOW)
        with Redis.from_url(broker_url) as client:
            client.script_flush()
        answer = await buckets.take("a", SLOW)
        await buckets.close()
        return answer

    assert 3 == asyncio.run(work()).remaining


def test_many_at_once_get_what_the_bucket_has(settings):
    async def work():
        buckets = TokenBuckets(settings)
        answers = await asyncio.gather(*[buckets.take("a", SLOW) for _ in range(100)])
        await buckets.close()
        return sum(answer.allowed for answer in answers)

    assert 5 == asyncio.run(work())


def test_a_redis_that_is_away_is_asked_once_per_breaker_period(caplog):
    taken(Settings(broker_url=NOWHERE, breaker_seconds=60.0), *["a"] * 20)
    assert 1 == caplog.text.count("counted by this process alone")
