"""What runs on a node as root: the `dss` command and the steps a deployment takes there."""
