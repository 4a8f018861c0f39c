"""What a call is refused with."""

from collections.abc import Callable

import pytest

from services.runtime.errors import Problem


def refused(call: Callable[[], object]) -> str:
    """The code of the Problem that a call raises, which says why and what to do."""
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.why
    assert caught.value.remedy
    return caught.value.code
