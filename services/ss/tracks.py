"""What is recorded of one stream of a channel is a track: folders, files and index know it by its key.

The main stream's key is the channel, so that archives of earlier releases are what they were. The part before
the suffix is the channel: tokens, plans and locks name that alone.
"""

from services.media.plans import MAIN, SUB

SUFFIX = f".{SUB}"


def key(channel: str, stream: str) -> str:
    """The key of a stream, main or sub."""
    return channel if stream == MAIN else channel + SUFFIX


def keys(channel: str, stream: str = MAIN) -> tuple[str, str]:
    """Both keys of a channel, that of `stream` first."""
    both = channel, channel + SUFFIX
    return both if stream == MAIN else both[::-1]


def channel_of(key: str) -> str:
    """The channel of a key."""
    return key.removesuffix(SUFFIX)


def stream_of(key: str) -> str:
    """The stream of a key."""
    return SUB if key.endswith(SUFFIX) else MAIN
