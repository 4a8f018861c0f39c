"""DSS_DMS: devices assigned to this node, whether they are on line, where their pictures come from."""
