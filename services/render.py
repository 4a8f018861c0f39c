"""Everything a node gets as text, as a pure function of the manifests and the inventory.

`@@credential:<name>@@` stays in the text: only the node replaces it, with a secret that never leaves it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services import drift, render_engines, render_firewall, render_networks, render_node, render_units
from services import facts as facts_module
from services.catalog import Catalog
from services.render_context import File, NodeView
from services.topology import Host, Topology

__all__ = ["File", "render"]

PARTS: tuple[Callable[[NodeView], dict[str, File]], ...] = (
    render_node.files,
    render_units.files,
    render_engines.files,
    render_firewall.files,
    render_networks.files,
)


def render(
    catalog: Catalog, topology: Topology, host: Host | str, overrides: Mapping[str, Any] | None = None
) -> dict[str, File]:
    """Absolute path → file for one host; nothing for a host that runs no service.

    What a main gets does not depend on which subs there are, so that adding a sub leaves it untouched.
    `overrides` are what was changed on the node at run time.
    """
    one = topology.hosts[host] if isinstance(host, str) else host
    if one.catalogue_role is None:
        return {}
    return render_facts(catalog, facts_module.of(topology.site, one, catalog), overrides or {})


def render_facts(
    catalog: Catalog, facts: facts_module.Facts, overrides: Mapping[str, Any]
) -> dict[str, File]:
    """The same from a host's facts alone: what a node does for itself when it is changed at run time."""
    kept = drift.needed(facts, overrides, facts_module.defaults(catalog))
    host = facts_module.host_of(facts_module.changed(facts, kept), catalog)
    view = NodeView(catalog, facts["site"], host)
    found = {facts_module.HOST_FILE: File(render_node.as_text(facts))}
    if kept:
        found[facts_module.OVERRIDES_FILE] = File(render_node.as_text(kept))
    for part in PARTS:
        found |= part(view)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Rendered:
    """All files of one host."""

    host: Host
    files: dict[str, File]


def render_all(catalog: Catalog, topology: Topology) -> list[Rendered]:
    """Every node of a site."""
    return [Rendered(host, render(catalog, topology, host)) for host in topology.nodes]
