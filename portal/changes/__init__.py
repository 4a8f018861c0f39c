"""Settings of a server at run time: ports, CMS IP, mapping IP, TLS 1.0; undone unless they are kept."""

from portal.changes.views import blueprint

__all__ = ["blueprint"]
