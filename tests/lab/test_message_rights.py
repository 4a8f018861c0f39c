"""Who may say what over DSS_MQ, between real nodes."""

import json
from typing import Any

import pytest

from lab.admin import Admin, until
from lab.site import MAIN, SUB, Site
from lab.tools import LabError

# Waiting for links to end and to come back takes minutes.
pytestmark = pytest.mark.full

LEAVES = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8222/leafz', timeout=5).read().decode())"
)
PYTHON = "/opt/dss/current/venv/bin/python"
AS_ANOTHER = """
import asyncio, nats, ssl
async def main():
    context = ssl.create_default_context(cafile='/etc/dss/pki/ca.pem')
    context.load_cert_chain('/etc/dss/pki/node.pem', '/etc/dss/pki/node.key')
    refused = []
    async def note(error): refused.append(str(error))
    word = open('/etc/dss/credentials/node-token').read().strip()
    login = {'user': 'services@NODE', 'password': word}
    client = await nats.connect('tls://127.0.0.1:4222', tls=context, error_cb=note, **login)
    for subject in ('dss.beat.another', 'dss.fact.another.dms.device', '$JS.API.STREAM.DELETE.FACTS'):
        await client.publish(subject, b'{}')
    await client.flush()
    await asyncio.sleep(0.5)
    print(len(refused))
asyncio.run(main())
"""


def links(site: Site) -> list[dict[str, Any]]:
    """The links that other nodes have open to main."""
    try:
        answer = site.on(MAIN, PYTHON, "-I", "-c", LEAVES)
    except LabError:
        return [{"account": "unknown"}]
    found: list[dict[str, Any]] = json.loads(answer)["leafs"] or []
    return found


def reach(admin: Admin) -> str:
    """What main knows of the sub at this moment."""
    return str(admin.get(f"/nodes/{SUB}")["reach"])


def test_a_disabled_node_is_cut_off_and_comes_back_when_it_is_enabled(site: Site, admin: Admin) -> None:
    until(30, "the link of the sub", lambda: [leaf["account"] for leaf in links(site)] == [f"NODE_{SUB}"])
    until(30, "a beat of the sub", lambda: reach(admin) == "reachable")
    admin.post(f"/nodes/{SUB}/disable")
    until(15, "the end of the link", lambda: not links(site))
    until(15, "silence", lambda: reach(admin) == "unreachable")
    admin.post(f"/nodes/{SUB}/enable")
    until(20, "the link again", lambda: [leaf["account"] for leaf in links(site)] == [f"NODE_{SUB}"])
    until(20, "a beat again", lambda: reach(admin) == "reachable")


@pytest.mark.parametrize("node", [MAIN, SUB])
def test_services_of_a_node_cannot_speak_as_another_and_cannot_delete_facts(site: Site, node: str) -> None:
    program = AS_ANOTHER.replace("NODE", node)
    said = site.on(node, PYTHON, "-I", "-c", program)
    assert said.strip() == "3"


def test_counters_stay_on_the_node_and_no_other_user_reads_who_may_link(site: Site) -> None:
    assert "127.0.0.1:8222" in site.on(MAIN, "ss", "-ltnH")
    assert site.on(MAIN, "stat", "-c", "%U:%G %a", "/var/lib/dss/mq/nodes.conf").split() == [
        "dss:nats",
        "640",
    ]
