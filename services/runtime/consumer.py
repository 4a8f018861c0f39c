"""Reading one node's stream of facts: in order, each acknowledged after its effect is committed."""

import asyncio
import logging

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from services.runtime.message import STREAM, Handler, Message, Unready, decode

LOG = logging.getLogger(__name__)

FETCH_SECONDS = 5.0
ACK_WAIT_SECONDS = 5.0
ATTEMPTS = 5
PAUSE_FIRST, PAUSE_LAST = 0.1, 2.0


async def follow(js: JetStreamContext, durable: str, handler: Handler) -> None:
    """Hand every fact of the stream behind `js` to `handler`, until cancelled or the server is away.

    A fact is acknowledged when `handler` returns. If it raises `Unready` the fact is tried again for as long
    as it takes; after any other error it is tried five times and then put aside for good with a log line, so
    that one damaged fact cannot stop all later ones. After a cut the same fact may come twice.
    """
    await js.add_consumer(
        STREAM,
        ConsumerConfig(
            durable_name=durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            # One at a time: a fact lost on its way to us would else be overtaken by later ones.
            max_ack_pending=1,
        ),
    )
    reader = await js.pull_subscribe_bind(durable, STREAM)
    try:
        while True:
            try:
                (message,) = await reader.fetch(1, timeout=FETCH_SECONDS)
            except TimeoutError:
                # Silence may be an idle stream or one that is gone: only the server can tell.
                await reader.consumer_info()
                continue
            await _handle(message, handler)
    finally:
        await reader.unsubscribe()


async def _handle(message: Msg, handler: Handler) -> None:
    failures, pause = 0, PAUSE_FIRST
    while True:
        try:
            await handler(Message(message.subject, decode(message.data), _id(message)))
            await message.ack_sync()
            return
        except Unready as error:
            LOG.warning("a fact waits for this service: %s", error)
        except TimeoutError:
            raise
        except Exception:
            failures += 1
            LOG.exception("a fact on %s could not be handled", message.subject)
        if failures >= ATTEMPTS:
            LOG.error("the fact %s on %s is put aside for good", _id(message), message.subject)
            await message.term()
            return
        await message.in_progress()
        await asyncio.sleep(pause)
        pause = min(pause * 2, PAUSE_LAST)


def _id(message: Msg) -> str:
    return (message.headers or {}).get("Nats-Msg-Id", "")
