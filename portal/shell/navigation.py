"""The list of pages. A page stands here when it exists, not before."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A page: its endpoint and blueprint, its name and icon, the right it needs (None: every account)."""

    endpoint: str
    name: str
    icon: str
    needs: str | None = None

    @property
    def blueprint(self) -> str:
        """The blueprint whose pages light this link up."""
        return self.endpoint.split(".")[0]


PAGES: tuple[tuple[str, tuple[Link, ...]], ...] = (
    (
        "Overview",
        (
            Link("home.page", "Home", "home"),
            Link("live.page", "Live", "eye", "live.view"),
            Link("playback.page", "Playback", "clock", "recordings.view"),
            Link("exports.page", "Exports", "download", "recordings.export"),
        ),
    ),
    (
        "Site",
        (
            Link("topology.page", "Topology", "graph", "nodes.view"),
            Link("servers.page", "Servers", "server", "nodes.view"),
            Link("manager.first", "Services", "layers", "nodes.view"),
            Link("devices.page", "Devices", "camera", "devices.view"),
            Link("players.page", "Players", "wide", "accounts.manage"),
        ),
    ),
    (
        "Network",
        (
            Link("ports.page", "Port matrix", "plug", "network.view"),
            Link("dmz.scenario", "Router mapping", "router", "network.view"),
            Link("changes.first", "Settings", "sliders", "network.view"),
            Link("certificates.page", "Certificates", "seal", "network.view"),
        ),
    ),
    (
        "System",
        (
            Link("tasks.page", "Tasks", "tasks", "nodes.view"),
            Link("backups.page", "Backups", "archive", "nodes.view"),
            Link("releases.page", "Releases", "package", "nodes.view"),
            Link("about.page", "About", "info"),
        ),
    ),
)
NEEDS = {link.blueprint: link.needs for _, links in PAGES for link in links} | {
    "shell": None,
    "account": None,
    "recovery": None,
    "plans": "recordings.view",
}


def pages_for(permissions: frozenset[str]) -> list[tuple[str, list[Link]]]:
    """The pages an account with these permissions may open, under their headings."""
    found = [
        (heading, [x for x in links if x.needs is None or x.needs in permissions]) for heading, links in PAGES
    ]
    return [(heading, links) for heading, links in found if links]
