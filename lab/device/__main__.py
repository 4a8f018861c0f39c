"""`python3 -m lab.device NAME VARIANT [HOST:PORT/ID]`: be a camera in this network namespace.

With the third word it also registers by itself at that platform, as ID.
"""

import sys
import threading

from lab.device import garbage, register
from lab.device.cgi import Device, server

USER, PASSWORD = "admin", "Camera.2468"


def main(name: str, variant: str, register_at: str = "") -> None:
    """Serve HTTP and RTSP until killed, and register if told where."""
    if variant == "garbage":
        garbage.serve()
        return
    from lab.device import rtsp

    device = Device(name, USER, PASSWORD)
    if register_at:
        _register(device, register_at)
    threading.Thread(target=server(device).serve_forever, daemon=True).start()
    rtsp.serve(variant, name, USER, PASSWORD, device.realm, device.time, look=device.head.now)


def _register(device: Device, where: str) -> None:
    from lab.device import snapshot

    def look() -> bytes:
        return snapshot.jpeg(device.name, device.time)

    threading.Thread(target=register.run, args=(device, where, look), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
