"""Names in certificates."""


def covers(pattern: str, name: str) -> bool:
    """Whether a name of a certificate stands for `name`; a star stands for one label (RFC 6125 §6.4.3)."""
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        label, _, rest = name.partition(".")
        return bool(label) and rest == pattern[2:]
    return pattern == name
