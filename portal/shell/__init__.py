"""What stands around every page: list of pages, quick jump, and the word about the site's health."""

from portal.shell.views import blueprint

__all__ = ["blueprint"]
