"""What travels over DSS_MQ, and the stream that keeps facts (docs/design/messages.md)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nats.js.api import RetentionPolicy, StorageType, StreamConfig

STREAM = "FACTS"
MAX_BYTES = 256 * 1024 * 1024
MAX_AGE_SECONDS = 30 * 24 * 3600
DUPLICATE_SECONDS = 3600


class Unready(Exception):  # noqa: N818 - a state of the reader, not a fault of the message
    """Raised by a handler whose own means (its database, …) are away: the message is kept and tried again."""


@dataclass(frozen=True)
class Message:
    """One message: its subject, JSON object, and id (empty for core messages)."""

    subject: str
    data: dict[str, Any]
    id: str = ""


Handler = Callable[[Message], Awaitable[None]]


def token(name: str) -> str:
    """A node or service name as one part of a subject: dots become `-`."""
    return name.replace(".", "-")


def beat_subject(node: str) -> str:
    """Where a node's beats go; `*` as the node hears them all."""
    return f"dss.beat.{token(node)}"


def fact_subject(node: str, service: str, what: str) -> str:
    """Where a service of a node puts facts about `what`."""
    return f"dss.fact.{token(node)}.{token(service)}.{token(what)}"


def services_user(node: str) -> str:
    """As whom a node's services talk to their own server; no certificate can carry a name with `@`."""
    return f"services@{token(node)}"


def reader_user(node: str) -> str:
    """As whom main's agent enters the account in which main's server keeps `node` by itself."""
    return f"reader@{token(node)}"


def stream_config(node: str) -> StreamConfig:
    """The stream in which `node` keeps its own facts."""
    return StreamConfig(
        name=STREAM,
        subjects=[f"dss.fact.{token(node)}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_bytes=MAX_BYTES,
        max_age=MAX_AGE_SECONDS,
        duplicate_window=DUPLICATE_SECONDS,
    )


def encode(data: dict[str, Any]) -> bytes:
    """The payload for a JSON object."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def decode(payload: bytes) -> dict[str, Any]:
    """The JSON object of a payload; ValueError if it holds anything else."""
    data = json.loads(payload)
    if not isinstance(data, dict):
        raise ValueError("a message must hold a JSON object")
    return data
