"""The way to Redis: sessions and presence, nothing that must not be lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.runtime import config
from services.runtime.errors import Problem


@lru_cache(maxsize=1)
def client() -> "redis.Redis":
    """This process's pool, from smc.json and the credential `redis`; values are str."""
    where = config.load_service("smc").settings["redis"]
    return redis.Redis(
        host=where["host"],
        port=where["port"],
        username=where["user"],
        password=config.credential("redis"),
        decode_responses=True,
        socket_timeout=2,
        socket_connect_timeout=2,
        health_check_interval=30,
        max_connections=32,
        # One more try mends what a restart of Redis broke; a hung Redis must not hold a thread longer.
        retry=Retry(NoBackoff(), 1),
    )


@contextmanager
def reached() -> Iterator["redis.Redis"]:
    """The client; a Problem (503) says clearly that Redis is away."""
    try:
        yield client()
    except redis.RedisError as error:
        raise Problem(
            "redis-away",
            "Sessions cannot be read.",
            "Redis (DSS_REDIS) on this node does not answer; it may be starting or stopped.",
            "Wait some seconds and try again; nothing durable is lost, you may have to log in again.",
            status=503,
        ) from error


def forget() -> None:
    """Close all connections and read the configuration again at the next use (after a fork, in tests)."""
    if client.cache_info().currsize:
        client().close()
    client.cache_clear()
