"""DSS_SMC: accounts, nodes, devices, service manager and the interfaces to them."""
