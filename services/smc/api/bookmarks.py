"""Named moments of recordings."""

from dataclasses import dataclass
from typing import Annotated

from services.smc import bookmarks
from services.smc.api.recordings import Milliseconds
from services.smc.api.route import Call, operation
from services.smc.api.schema import Text
from services.smc.bookmarks import Bookmark

ChannelId = Annotated[str, Text(1, 20, "[A-Za-z0-9-]*")]


@dataclass(frozen=True)
class OfChannel:
    """The channel whose bookmarks are wanted."""

    channel: ChannelId


@dataclass(frozen=True)
class NewBookmark:
    """A moment of a channel, milliseconds since 1970, and its name."""

    channel: ChannelId
    at: Milliseconds
    name: Annotated[str, Text(1, bookmarks.LONGEST_NAME)]


@operation("GET", "/bookmarks", query=OfChannel, answer=list[Bookmark], permission=bookmarks.PERMISSION)
def list_bookmarks(call: Call) -> list[Bookmark]:
    """The bookmarks of a channel, whoever set them, by moment."""
    return bookmarks.listing(call.session, [call.query.channel], call.account)


@operation("POST", "/bookmarks", body=NewBookmark, answer=Bookmark, permission=bookmarks.PERMISSION,
           problems=(404, 409))  # fmt: skip
def add_bookmark(call: Call) -> Bookmark:
    """Keep a moment of a channel under a name."""
    body: NewBookmark = call.body
    return bookmarks.add(call.session, body.channel, body.at, body.name, call.account)


@operation("DELETE", "/bookmarks/<id>", status=204, permission=bookmarks.PERMISSION, problems=(404,))
def remove_bookmark(call: Call, id: str) -> None:
    """Remove a bookmark; those of others only with the permission to manage devices."""
    bookmarks.remove(call.session, id, call.account)
