"""`python3 -m lab.device NAME VARIANT [HOST:PORT/ID]`: be a camera in this network namespace.

With the third word it also registers by itself at that platform, as ID. A variant that ends in -card records
to storage of its own.
"""

import sys
import tempfile
import threading
from pathlib import Path

from lab.device import garbage, register
from lab.device.card import Card
from lab.device.cgi import Device, server

USER, PASSWORD, CARD = "admin", "Camera.2468", "-card"


def main(name: str, variant: str, register_at: str = "") -> None:
    """Serve HTTP and RTSP until killed, and register if told where."""
    if variant == "garbage":
        garbage.serve()
        return
    from lab.device import rtsp

    coder = variant.removesuffix(CARD)
    device = Device(name, USER, PASSWORD)
    if coder != variant:
        device.card = Card(Path(tempfile.mkdtemp(prefix="card-")))
    if register_at:
        _register(device, register_at)
    threading.Thread(target=server(device).serve_forever, daemon=True).start()
    rtsp.serve(coder, name, USER, PASSWORD, device.realm, device.time, look=device.head.now, card=device.card)


def _register(device: Device, where: str) -> None:
    from lab.device import snapshot

    def look() -> bytes:
        return snapshot.jpeg(device.name, device.time)

    threading.Thread(target=register.run, args=(device, where, look), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
