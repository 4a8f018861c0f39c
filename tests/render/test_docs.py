"""Generated pages say what the code says."""

from pathlib import Path

import pytest

from services import reference
from services.catalog import Catalog

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", [reference.PORT_MATRIX, reference.INVENTORY], ids=str)
def test_the_page_is_fresh(page: Path, catalog: Catalog, request: pytest.FixtureRequest) -> None:
    text = reference.pages(catalog)[page]
    if request.config.getoption("--update-golden", default=False):
        (ROOT / page).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / page).write_text(text)
    assert (ROOT / page).read_text() == text, f"{page} is stale. Run: {reference.REFRESH}"
