"""Ports of the site that a router hands from outside to the nodes: what, for whom, and in which router's words."""
