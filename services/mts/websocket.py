"""WebSocket messages as bytes (RFC 6455 §5.2): whole and unmasked, so that everybody gets the same."""

import json

TEXT, BINARY = 1, 2


def header(opcode: int, size: int) -> bytes:
    """What goes before the body of a message."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


def message(opcode: int, body: bytes) -> bytes:
    """A whole message."""
    return header(opcode, len(body)) + body


def bodies(messages: bytes) -> list[memoryview]:
    """The bodies of messages that stand behind each other."""
    found, position, view = [], 0, memoryview(messages)
    while position < len(messages):
        short = messages[position + 1]
        start = position + {126: 4, 127: 10}.get(short, 2)
        size = short if short < 126 else int.from_bytes(view[position + 2 : start], "big")
        found.append(view[start : start + size])
        position = start + size
    return found


def no_picture(why: str, wanted: str = "picture") -> bytes:
    """A message for people: there is no picture now, or no sound of a camera that has nothing else."""
    remedy = "It comes by itself as soon as the camera sends one; the Devices page says more."
    return _note(f"No {wanted} from the camera.", why, remedy, "picture")


NO_PLACE = "No more pictures can be converted now."
WAIT = "It comes by itself as soon as another one ends; a browser that decodes H.265 needs none."


def no_place(why: str) -> bytes:
    """A message for people: the node converts as many streams as it may."""
    return _note(NO_PLACE, why, WAIT, "picture")


UNPLAYED = "Set it to AAC of one or two channels, G.711 or Opus; players that use RTSP hear it as it is."


def no_sound(why: str) -> bytes:
    """A message for people: there is a picture, but no sound."""
    return _note("This picture has no sound here.", why, UNPLAYED, "sound")


def nothing_played(why: str) -> bytes:
    """A message for people: sound is all there is, and no browser plays it."""
    return _note("This channel cannot be heard here.", why, UNPLAYED, "picture")


def _note(what: str, why: str, remedy: str, about: str) -> bytes:
    said = {"type": "note", "about": about, "what": what, "why": why, "remedy": remedy}
    return message(TEXT, json.dumps(said).encode())
