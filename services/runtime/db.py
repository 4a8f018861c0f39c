"""The way to MariaDB: one engine per process, one session per piece of work."""

import importlib
import sys
from types import ModuleType

from sqlalchemy import URL, Engine, create_engine

from services.runtime import config
from services.runtime.config import Service

POOL, OVERFLOW, WAIT_SECONDS, CONNECT_SECONDS, ANSWER_SECONDS = 2, 6, 5, 5, 15
# MariaDB closes idle connections after eight hours by default.
RECYCLE_SECONDS = 1800


def _driver() -> ModuleType:
    """PyMySQL, without the ciphers of cryptography if they are not loaded yet.

    It wants them for MySQL 8's SHA-256 logins only, which MariaDB does not have; they weigh 4 MB a process.
    """
    ciphers = "cryptography.hazmat"
    without = {} if ciphers in sys.modules else {ciphers: None}
    sys.modules.update(without)  # type: ignore[arg-type] # None: "as if it were not installed"
    try:
        return importlib.import_module("pymysql")
    finally:
        for name in without:
            del sys.modules[name]


# While this module is imported no other thread can meet the hidden name.
DRIVER = _driver()


def url(service: Service, password: str) -> URL:
    """The database address of `service.settings["database"]`: {"name", "user", "host", "port"}."""
    where = service.settings["database"]
    return URL.create(
        "mysql+pymysql",
        username=where["user"],
        password=password,
        host=where.get("host", "127.0.0.1"),
        port=where.get("port", 3306),
        database=where["name"],
        query={"charset": "utf8mb4"},
    )


def engine(service: Service, credential: str = "db-smc") -> Engine:
    """A pooled engine for `service`, with the password from `credential`; connects at first use."""
    return create_engine(
        url(service, config.credential(credential)),
        module=DRIVER,
        pool_size=POOL,
        max_overflow=OVERFLOW,
        pool_timeout=WAIT_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "write_timeout": ANSWER_SECONDS,
            "init_command": "SET time_zone='+00:00'",
            # MariaDB is on this host. PyMySQL else keeps all authorities of the system with each connection.
            "ssl_disabled": True,
        },
    )
