"""The port matrix is the truth about listeners, in both directions, on both roles."""

import csv
import io
import json
import subprocess

import pytest

from lab.listeners import listening
from lab.site import MAIN, SUB, Site

# The host's own SSH server is how the host was reached before DSS came; the matrix covers what DSS adds.
SSH = ("tcp", 22)


def promised(site: Site, host: str) -> dict[tuple[str, int], str]:
    """The inbound rows of built services, from the same command an integrator runs: (proto, port) → zone."""
    command = ["./dss", "ports", "-i", str(site.inventory), "--format", "csv", "--host", host]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        (row["protocol"], int(row["port"])): row["zone"]
        for row in csv.DictReader(io.StringIO(listing))
        if row["status"] == "built" and row["direction"] == "in"
    }


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_exactly_the_ports_of_the_matrix_listen(site: Site, host: str) -> None:
    found, matrix = listening(site, host), promised(site, host)
    assert set(found) - set(matrix) - {SSH} == set(), "these listen but are not in the matrix"
    assert set(matrix) - set(found) - {SSH} == set(), "the matrix names these but nothing listens"


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_local_ports_are_bound_to_loopback_only(site: Site, host: str) -> None:
    found, matrix = listening(site, host), promised(site, host)
    local = {port for port, zone in matrix.items() if zone == "local"}
    assert local
    assert {port: found[port] for port in local if not found[port] <= {"127.0.0.1", "::1"}} == {}


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_the_firewall_lets_in_what_the_matrix_says_and_nothing_else(site: Site, host: str) -> None:
    address = site.on(
        host, "python3", "-c", "import json; print(json.load(open('/etc/dss/node.json'))['address'])"
    )
    rows = promised(site, host).items()
    open_zones = {port for (protocol, port), zone in rows if (protocol, zone != "local") == ("tcp", True)}
    candidates = sorted(
        open_zones | {21, 25, 80, 111, 443, 3306, 6379, 4222, 8222, 9000, 9001, 9101, 9200, 9999}
    )
    # A listener on every address that the matrix does not know must stay unreachable.
    site.on(host, "systemd-run", "--unit=stray", "python3", "-m", "http.server", "9999")
    try:
        program = (
            "import json, socket, sys\n"
            "open_ = []\n"
            "for port in json.loads(sys.argv[2]):\n"
            "    s = socket.socket(); s.settimeout(0.4)\n"
            "    if s.connect_ex((sys.argv[1], port)) == 0: open_.append(port)\n"
            "    s.close()\n"
            "print(json.dumps(open_))"
        )
        words = ["python3", "-c", program, address.strip(), json.dumps(candidates)]
        reached = json.loads(site.lab.run(words, capture=True).stdout)
    finally:
        site.on(host, "systemctl", "stop", "stray")
    assert set(reached) == open_zones - {22} | ({22} & set(reached))
