"""What really listens on a host, with the addresses it is bound to."""

import json

from lab.site import Site


def listening(site: Site, host: str) -> dict[tuple[str, int], set[str]]:
    """Every listening TCP and bound UDP port of a host, with the addresses it is bound to."""
    program = (
        "import json, psutil, socket\n"
        "kinds = {socket.SOCK_STREAM: 'tcp', socket.SOCK_DGRAM: 'udp'}\n"
        "print(json.dumps([[kinds[c.type], c.laddr.port, c.laddr.ip] for c in psutil.net_connections('inet')"
        " if c.status == 'LISTEN' or (c.type == socket.SOCK_DGRAM and not c.raddr)]))"
    )
    found: dict[tuple[str, int], set[str]] = {}
    for proto, port, address in json.loads(site.on(host, "/opt/dss/current/venv/bin/python", "-c", program)):
        found.setdefault((proto, port), set()).add(address)
    return found
