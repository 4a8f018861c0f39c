"""The air-gapped bundle: everything a node needs, built once on the controller (docs/design/bundle.md)."""
