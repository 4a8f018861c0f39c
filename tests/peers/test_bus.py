"""Facts over two real NATS servers with a leaf link: stored where they arise, delivered after any cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from dss_site import SECRETS, Authority, Server, until

from services.runtime.bus import Bus, Login
from services.runtime.config import Node
from services.runtime.health import Health
from services.runtime.message import Message, Unready


@pytest.fixture
def site(tmp_path: Path) -> Iterator[dict[str, Server]]:
    """A main and a sub; nothing runs yet."""
    authority = Authority()
    for name in ("main", "sub"):
        authority.equip(tmp_path / name / "pki", name)
    main = Server(tmp_path / "main", "main")
    main.admit(sub=True)
    servers = {"main": main, "sub": Server(tmp_path / "sub", "sub", main.leaf)}
    yield servers
    for server in servers.values():
        server.kill()


MakeBus = Callable[..., Awaitable[Bus]]
READER = Login("reader@sub", SECRETS["mq-manager"])


@pytest.fixture
async def bus_of(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBus]:
    """Makes a bus with the certificate of that server's node."""
    made: list[Bus] = []

    async def make(server: Server, login: Login | None = None) -> Bus:
        monkeypatch.setenv("DSS_ETC", str(server.folder))
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(server.folder / "pki"))
        node = Node("1", "Test", server.name, server.name, "127.0.0.1", None, Path("/"), None)
        bus = Bus(node, Health(), f"tls://127.0.0.1:{server.port}", login)
        bus.connect()
        made.append(bus)
        await until(lambda: bus.connected)
        return bus

    yield make
    for bus in made:
        await bus.close()


async def put(bus: Bus, numbers: range) -> None:
    for number in numbers:
        bus.enqueue("dss.fact.sub.dms.device", {"n": number}, f"fact-{number}")


async def test_facts_survive_a_dead_main_and_a_killed_origin_none_lost_none_doubled(
    site: dict[str, Server], bus_of: MakeBus
) -> None:
    for server in site.values():
        server.start()
    sub, main = await bus_of(site["sub"]), await bus_of(site["main"], READER)
    committed: dict[str, int] = {}
    deliveries = 0

    async def commit(message: Message) -> None:
        nonlocal deliveries
        deliveries += 1
        committed.setdefault(message.id, message.data["n"])

    reader = asyncio.create_task(main.consume("sub", "registry", commit))
    await put(sub, range(100))
    await until(lambda: len(committed) == 100)
    # DSS_MQ writes down within a second what was acknowledged: a kill sooner brings it once more.
    await asyncio.sleep(1)
    site["main"].kill()
    await put(sub, range(100, 300))
    await until(lambda: not sub._waiting)
    site["sub"].kill()
    await put(sub, range(300, 500))
    assert len(committed) == 100
    site["sub"].start()
    await until(lambda: not sub._waiting)
    site["main"].start()
    await until(lambda: len(committed) == 500)
    await asyncio.sleep(0.5)
    reader.cancel()
    assert list(committed.values()) == list(range(500))
    assert deliveries <= 501, "only a fact whose acknowledgement was cut off may come twice"


async def test_the_same_fact_published_twice_is_stored_once(site: dict[str, Server], bus_of: MakeBus) -> None:
    site["sub"].start()
    bus = await bus_of(site["sub"])
    for _ in range(3):
        await bus.publish("dss.fact.sub.dms.device", {"n": 1}, "one")
    assert (await bus._client.jetstream().stream_info("FACTS")).state.messages == 1


async def test_a_stream_of_an_earlier_release_keeps_its_facts_and_gets_the_new_limits(
    site: dict[str, Server], bus_of: MakeBus
) -> None:
    site["sub"].start()
    bus = await bus_of(site["sub"])
    await bus.publish("dss.fact.sub.dms.device", {"n": 1})
    js = bus._client.jetstream()
    await js.update_stream(name="FACTS", subjects=["dss.fact.old.>"], max_bytes=1024 * 1024)
    await bus.close()
    bus = await bus_of(site["sub"])
    await bus.publish("dss.fact.sub.dms.device", {"n": 2})
    info = await bus._client.jetstream().stream_info("FACTS")
    assert (info.state.messages, info.config.max_bytes) == (2, 256 * 1024 * 1024)


async def test_a_fact_waits_for_a_reader_that_is_not_ready_and_a_damaged_one_does_not_stop_the_rest(
    site: dict[str, Server], bus_of: MakeBus
) -> None:
    site["sub"].start()
    bus = await bus_of(site["sub"])
    handled: list[int] = []
    refusals = 8

    async def handler(message: Message) -> None:
        nonlocal refusals
        if message.data["n"] == 0:
            raise KeyError("damaged")
        if refusals > 0:
            refusals -= 1
            raise Unready("the database is away")
        handled.append(message.data["n"])

    reader = asyncio.create_task(bus.consume("sub", "registry", handler))
    await put(bus, range(3))
    await until(lambda: handled == [1, 2], 60)
    reader.cancel()


async def test_beats_reach_main_over_the_link(site: dict[str, Server], bus_of: MakeBus) -> None:
    for server in site.values():
        server.start()
    sub, main = await bus_of(site["sub"]), await bus_of(site["main"], READER)
    heard: list[Message] = []

    async def hear(message: Message) -> None:
        heard.append(message)

    await main.subscribe("dss.beat.>", hear)
    async with asyncio.timeout(20):
        while not heard:
            await sub.tell("dss.beat.sub", {"node": "sub"})
            await asyncio.sleep(0.1)
    assert (heard[0].subject, heard[0].data) == ("dss.beat.sub", {"node": "sub"})


async def test_a_server_that_is_away_is_told_in_health_but_is_no_fault_of_the_service(
    site: dict[str, Server], bus_of: MakeBus
) -> None:
    site["sub"].start()
    bus = await bus_of(site["sub"])
    site["sub"].kill()
    await until(lambda: not bus.connected)
    await put(bus, range(2))
    await asyncio.sleep(0.1)
    assert await bus.tell("dss.beat.sub", {}) is False
    assert bus.health.ok
    assert "cannot be reached" in bus.health.checks["mq"].reason
