"""Ports that a router hands from outside to the nodes: which, for whom, and in each router's own words."""
