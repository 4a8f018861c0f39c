"""A WebRTC player at some place of the network: prints its offer, reads the answer, says what it decoded."""

import asyncio
import json
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription

FRAMES = 50


async def main() -> None:
    """One line out, one line in, one line out."""
    peer = RTCPeerConnection()
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    print(json.dumps(peer.localDescription.sdp), flush=True)
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    track = peer.getReceivers()[0].track
    for _ in range(FRAMES):
        await asyncio.wait_for(track.recv(), 30)
    print(FRAMES, flush=True)
    await peer.close()


asyncio.run(main())
