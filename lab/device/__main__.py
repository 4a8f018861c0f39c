"""`python3 -m lab.device NAME VARIANT`: be a camera, in the network namespace this was started in."""

import sys
import threading

from lab.device import garbage
from lab.device.cgi import Device, server

USER, PASSWORD = "admin", "Camera.2468"


def main(name: str, variant: str) -> None:
    """Serve HTTP and RTSP until killed."""
    if variant == "garbage":
        garbage.serve()
        return
    from lab.device import rtsp

    device = Device(name, USER, PASSWORD)
    threading.Thread(target=server(device).serve_forever, daemon=True).start()
    rtsp.serve(variant, name, USER, PASSWORD, device.realm, device.time)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
