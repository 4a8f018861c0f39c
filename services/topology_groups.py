"""The groups of an inventory that mean something: what a host can be."""

NODE_GROUPS = ("main", "standby", "sub", "spare", "cascade")
GROUPS = {
    "main": "the centre of the site; exactly one host",
    "standby": "takes over from main; at most one host",
    "sub": "servers that share the load of devices",
    "spare": "idle subs that take over from the subs they cover",
    "cascade": "centres of other platforms, seen from their parent, up to three levels",
    "router": "routers between the site and the outside",
    "camera": "cameras of the lab and the demo",
}
CATALOGUE_ROLE = {"main": "main", "standby": "main", "cascade": "main", "sub": "sub", "spare": "sub"}
"""Group → the role of the catalogue whose services its hosts run."""
