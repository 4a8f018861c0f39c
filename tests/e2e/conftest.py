"""Debian's Chromium, logged in to the deployed site as a person would be."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from lab.fixtures import PASSWORD
from lab.scenario import USER
from lab.site import Site
from tests import browser


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page in a fresh profile, logged in at the portal."""
    # Chromium has no switch for one more authority; tests/lab proves the certificate against the site's CA.
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, ignore_https_errors=True, base_url=f"https://{site.listen}"
    )
    page = context.new_page()
    browser.log_in(page, USER, PASSWORD)
    yield page
    context.close()
