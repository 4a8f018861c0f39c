"""The site as a whole: topology and port matrix."""

from services.smc import ports, topology
from services.smc.api.route import Call, operation
from services.smc.ports import NodePorts, Reached
from services.smc.topology import Graph


@operation("GET", "/topology", answer=Graph, permission="nodes.view")
def get_topology(call: Call) -> Graph:
    """Servers and their links."""
    return topology.graph(call.session)


@operation("GET", "/ports", answer=list[NodePorts], permission="network.view")
def get_ports(call: Call) -> list[NodePorts]:
    """The port matrix of every node, and whether each port listens."""
    return ports.matrix(call.session)


@operation("GET", "/ports/reach", answer=list[Reached], permission="network.view")
def get_reach(call: Call) -> list[Reached]:
    """Every TCP listener that other hosts may reach, tried from main now."""
    return ports.tried(call.session, ports.matrix(call.session))
