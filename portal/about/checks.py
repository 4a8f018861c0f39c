"""Whether what the portal stands on answers: the database and the cache."""

from sqlalchemy import text

from portal import work
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.smc import cache


def check() -> Health:
    """Both asked now; each may take some seconds to fail."""
    health = Health()
    try:
        work.session().execute(text("SELECT 1"))
        health.set("mysql", True)
    except Exception as error:
        health.set("mysql", False, type(error).__name__)
    try:
        with cache.reached() as redis:
            redis.ping()
        health.set("redis", True)
    except Problem as problem:
        health.set("redis", False, problem.what)
    return health
