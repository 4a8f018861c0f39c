"""The node agent: it alone talks to this node's systemd; on main it also does what all nodes need."""
