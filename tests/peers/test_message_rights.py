"""What a node may say and hear over DSS_MQ, with real NATS servers and a sub whose key is in wrong hands."""

import asyncio
import json
import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dss_site import SECRETS, Authority, Server, until
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.smc.agent.links import Links

SUBS = ("sub-1", "sub-2")
EVERYTHING = (
    "dss.beat.sub-2",
    "dss.fact.sub-2.dms.device",
    "dss.fact.main-a.dms.device",
    "_INBOX.x",
    "$JS.ACK.FACTS.x",
)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def site(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Server]]:
    """main-a, sub-1 and sub-2, all running; main lets in both."""
    for name in ("main-a", *SUBS):
        authority.equip(tmp_path / name / "pki", name)
    main = Server(tmp_path / "main-a", "main-a")
    main.admit(sub_1=True, sub_2=True)
    servers = {"main-a": main, **{n: Server(tmp_path / n, n, main.leaf) for n in SUBS}}
    monkeypatch.setenv("DSS_ETC", str(main.folder))
    monkeypatch.setenv("DSS_STATE", str(main.folder))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(main.folder / "pki"))
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.kill()


def context(folder: Path, certificate: bool = True) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=folder / "pki" / "ca.pem")
    if certificate:
        made.load_cert_chain(folder / "pki" / "node.pem", folder / "pki" / "node.key")
    return made


Enter = Callable[..., Any]


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    """Connects to a server as a user; the errors it tells are kept in `.told`."""
    made: list[Client] = []

    async def connect(server: Server, user: str, word: str, tls: ssl.SSLContext | None = None) -> Client:
        async def note(error: Exception) -> None:
            told.append(str(error).lower())

        client, told = Client(), []
        await client.connect(
            f"tls://127.0.0.1:{server.port}", tls=tls or context(server.folder), user=user, password=word,
            error_cb=note, allow_reconnect=False, connect_timeout=2,
        )  # fmt: skip
        client.told = told  # type: ignore[attr-defined]
        made.append(client)
        return client

    yield connect
    for client in made:
        await client.close()


def leaves(main: Server) -> list[str]:
    """Accounts of the links that main has open."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{main.monitor}/leafz", timeout=2) as answer:
            return sorted(leaf["account"] for leaf in json.loads(answer.read())["leafs"] or [])
    except OSError:
        return []


async def linked(site: dict[str, Server], *names: str) -> None:
    await until(lambda: leaves(site["main-a"]) == [f"NODE_{name}" for name in names])


async def hear(client: Client, subject: str) -> list[str]:
    heard: list[str] = []

    async def keep(message: Msg) -> None:
        heard.append(message.subject)

    await client.subscribe(subject, cb=keep)
    await client.flush()
    return heard


def steal(site: dict[str, Server]) -> None:
    """Put a server without any rights of its own in sub-1's place, with sub-1's key."""
    server = site["sub-1"]
    server.kill()
    text = server.configuration()
    start, end = text.index("      permissions {"), text.index("leafnodes {")
    server.configuration = lambda: f"{text[:start]}    }}\n  ]\n}}\n{text[end:]}"  # type: ignore[method-assign]
    server.start()


async def test_a_stolen_key_speaks_for_its_node_only_and_hears_nobody(
    site: dict[str, Server], enter: Enter
) -> None:
    await linked(site, *SUBS)
    steal(site)
    await linked(site, *SUBS)
    thief = await enter(site["sub-1"], "services@sub-1", SECRETS["node-token"])
    readers = {n: await enter(site["main-a"], f"reader@{n}", SECRETS["mq-manager"]) for n in SUBS}
    main = await enter(site["main-a"], "services@main-a", SECRETS["node-token"])
    at_main = await hear(main, "dss.fact.main-a.>")
    of_thief, of_victim = await hear(readers["sub-1"], "dss.beat.sub-1"), await hear(readers["sub-2"], ">")
    spied = await hear(thief, ">")
    victim = await enter(site["sub-2"], "services@sub-2", SECRETS["node-token"])
    async with asyncio.timeout(20):
        while not of_thief:
            for subject in EVERYTHING:
                await thief.publish(subject, b"{}")
            await thief.publish("dss.beat.sub-1", b"{}")
            await victim.publish("dss.beat.sub-2", b"{}")
            await main.publish("dss.beat.main-a", b"{}")
            await asyncio.sleep(0.2)
    await until(lambda: bool(of_victim))
    assert set(of_victim) == {"dss.beat.sub-2"}
    assert len(of_victim) <= len(of_thief) + 1, "only what sub-2 itself said"
    assert not thief.told, "its own server must not hold it back in this test"
    assert at_main == []
    assert {s for s in spied if s.startswith(("dss.", "_INBOX"))} <= {*EVERYTHING, "dss.beat.sub-1"}
    assert "dss.beat.main-a" not in spied


async def test_a_stolen_key_cannot_use_mains_streams(site: dict[str, Server], enter: Enter) -> None:
    await linked(site, *SUBS)
    steal(site)
    await linked(site, *SUBS)
    thief = await enter(site["sub-1"], "services@sub-1", SECRETS["node-token"])
    for domain in ("main-a", "sub-2"):
        with pytest.raises(NatsError):
            await thief.jetstream(domain=domain, timeout=2).stream_info("FACTS")


async def test_local_services_have_the_rights_of_their_node_only(
    site: dict[str, Server], enter: Enter
) -> None:
    for name in ("main-a", "sub-1"):
        client = await enter(site[name], f"services@{name}", SECRETS["node-token"])
        for subject in (*EVERYTHING[:2], "$JS.API.STREAM.DELETE.FACTS", "$SYS.REQ.SERVER.PING"):
            client.told.clear()
            await client.publish(subject, b"")
            await client.flush()
            await until(lambda client=client: bool(client.told))
            assert "permissions violation" in client.told[0], subject
        client.told.clear()
        await client.subscribe("dss.>")
        await until(lambda client=client: bool(client.told))
        await client.publish(f"dss.beat.{name}", b"")
        assert (
            await client.jetstream().add_stream(name="FACTS", subjects=[f"dss.fact.{name}.>"])
        ).config.name == "FACTS"


async def test_strangers_are_refused(
    site: dict[str, Server], enter: Enter, tmp_path: Path, authority: Authority
) -> None:
    main, word = site["main-a"], SECRETS["node-token"]
    await linked(site, *SUBS)
    foreign = Authority("Foreign")
    foreign.equip(tmp_path / "foreign" / "pki", "main-a")
    (tmp_path / "foreign" / "pki" / "ca.pem").write_bytes((main.folder / "pki" / "ca.pem").read_bytes())
    for tls in (context(main.folder, certificate=False), context(tmp_path / "foreign")):
        with pytest.raises((NatsError, OSError)):
            await enter(main, "services@main-a", word, tls)
    for user in ("services@sub-1", "sub-1.node.dss", "", "main-a"):
        with pytest.raises((NatsError, OSError)):
            await enter(main, user, word)


async def test_a_certificate_that_main_does_not_know_or_that_is_named_like_a_user_gets_no_link(
    site: dict[str, Server], tmp_path: Path, authority: Authority
) -> None:
    await linked(site, *SUBS)
    strangers = []
    for name, signer in (("sub-3", authority), ("manager", authority), ("sub-1", Authority("Foreign"))):
        folder = tmp_path / f"{name}-stranger"
        signer.equip(folder / "pki", name)
        (folder / "pki" / "ca.pem").write_bytes((site["main-a"].folder / "pki" / "ca.pem").read_bytes())
        strangers.append(Server(folder, name, site["main-a"].leaf))
    site["sub-1"].kill()
    await linked(site, "sub-2")
    try:
        for server in strangers:
            server.start()
        await asyncio.sleep(3)
        assert leaves(site["main-a"]) == ["NODE_sub-2"]
    finally:
        for server in strangers:
            server.kill()


async def test_a_disabled_node_is_cut_off_within_seconds_and_comes_back(
    site: dict[str, Server], enter: Enter
) -> None:
    main, restarts = site["main-a"], []

    async def restart() -> None:
        restarts.append(1)
        main.kill()
        main.start()

    links = Links(restart, f"tls://127.0.0.1:{main.port}")
    await linked(site, *SUBS)
    await links.settle({"sub-1": True, "sub-2": True})
    assert not restarts
    await links.settle({"sub-1": False, "sub-2": True})
    async with asyncio.timeout(5):
        await linked(site, "sub-2")
    await asyncio.sleep(2.5)
    assert leaves(main) == ["NODE_sub-2"]
    assert len(restarts) <= 1
    await links.settle({"sub-1": True, "sub-2": True})
    async with asyncio.timeout(5):
        await linked(site, *SUBS)
    reader = await enter(main, "reader@sub-1", SECRETS["mq-manager"])
    heard = await hear(reader, "dss.beat.sub-1")
    speaker = await enter(site["sub-1"], "services@sub-1", SECRETS["node-token"])
    async with asyncio.timeout(10):
        while not heard:
            await speaker.publish("dss.beat.sub-1", b"")
            await asyncio.sleep(0.1)


async def test_a_node_that_joins_is_let_in_without_disturbing_the_others(
    site: dict[str, Server], enter: Enter
) -> None:
    main = site["main-a"]

    async def never() -> None:
        raise AssertionError("main's server must not be restarted")

    links = Links(never, f"tls://127.0.0.1:{main.port}")
    await links.settle({"sub-1": True})
    reader = await enter(main, "reader@sub-1", SECRETS["mq-manager"])
    await links.settle({"sub-1": True, "sub-3": True})
    assert reader.is_connected
    await reader.flush()
