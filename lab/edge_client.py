"""A client at some place of the network: logs in, watches every camera, and says what it saw.

Run as `python -m lab.edge_client BASE CA_FILE PASSWORD SECONDS`; prints one JSON object. TLS is verified
against the site's authority and the address in BASE, as a browser does.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av

from lab import scenario
from lab.admin import Admin


def look(admin: Admin, device: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One camera: frames through the portal's WebSocket, and where its RTSP is."""
    seen = scenario.look(admin, device, seconds)
    answer = admin.post(f"/channels/{device['channels'][0]['id']}/live")
    return {"frames": seen.frames, "lost": seen.lost, "rtsp": answer["rtsp"], "rtsps": answer["rtsps"]}


def play(url: str, frames: int = 25) -> int:
    """Frames decoded from an RTSP address with a one-time token, taken over TCP as through any NAT."""
    count = 0
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=15) as stream:
        for _ in stream.decode(video=0):
            count += 1
            if count == frames:
                break
    return count


def main(base: str, ca: str, password: str, seconds: str) -> dict[str, Any]:
    """What this client saw, by name of the camera."""
    admin = Admin(base, Path(ca).read_text())
    admin.login(scenario.USER, password)
    devices = admin.get("/devices")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda device: look(admin, device, float(seconds)), devices))
    result = {device["name"]: one for device, one in zip(devices, found, strict=True)}
    for one in result.values():
        one["rtsp_frames"] = play(one["rtsp"]["wan"] or one["rtsp"]["lan"])
    return result


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
