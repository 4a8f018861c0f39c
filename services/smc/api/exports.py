"""Exports of recordings as files to take along."""

from dataclasses import dataclass
from typing import Annotated, Literal

from services.smc import export_downloads, exports
from services.smc.api.recordings import Milliseconds
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Text
from services.smc.export_downloads import ExportDownload
from services.smc.exports import Export


@dataclass(frozen=True)
class NewExport:
    """Up to 16 channels from `start` up to, not including, `end` (milliseconds since 1970, at most 24 hours).

    mp4 plays everywhere; fmp4 is fragmented as it was recorded, its times beginning at zero.
    """

    channels: Annotated[list[Annotated[str, Text(1, 20)]], Items(1, exports.MOST_CHANNELS)]
    start: Milliseconds
    end: Milliseconds
    format: Literal["mp4", "fmp4"] = "mp4"


@dataclass(frozen=True)
class DownloadRequest:
    """Whose part, where the channels are on several nodes; if empty all parts, as one archive."""

    node: Annotated[str, Text(0, 63)] = ""


@operation("GET", "/exports", answer=list[Export], permission=exports.PERMISSION)
def list_exports(call: Call) -> list[Export]:
    """The exports of the site, newest first, with what their nodes say now."""
    return exports.listing(call.session, call.account)


@operation("POST", "/exports", body=NewExport, answer=Export, status=201, permission=exports.PERMISSION,
           problems=(404, 409, 502, 504))  # fmt: skip
def order_export(call: Call) -> Export:
    """Order an export; each node that has some of its channels makes one part."""
    body: NewExport = call.body
    return exports.order(call.session, body.channels, body.start, body.end, body.format, call.account)


@operation("GET", "/exports/<id>", answer=Export, permission=exports.PERMISSION)
def get_export(call: Call, id: str) -> Export:
    """One export, its state and how far it is."""
    return exports.get(call.session, id, call.account)


@operation("POST", "/exports/<id>/cancel", answer=Export, permission=exports.PERMISSION,
           problems=(502, 504))  # fmt: skip
def cancel_export(call: Call, id: str) -> Export:
    """Stop what of an export is not done yet."""
    return exports.cancel(call.session, id, call.account)


@operation("DELETE", "/exports/<id>", status=204, permission=exports.PERMISSION, problems=(502, 504))
def remove_export(call: Call, id: str) -> None:
    """Delete an export and its results."""
    exports.remove(call.session, id, call.account)


@operation("POST", "/exports/<id>/download", body=DownloadRequest, answer=ExportDownload,
           permission=exports.PERMISSION, problems=(404, 409, 502, 504))  # fmt: skip
def download_export(call: Call, id: str) -> ExportDownload:
    """Get a one-time token to download the result or the part of a node, whole or by Range."""
    return export_downloads.grant(call.session, id, call.account, call.body.node or None, "api")
