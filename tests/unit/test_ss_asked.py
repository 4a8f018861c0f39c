"""What is asked of DSS_SS is understood, or refused with its reason: never an accident inside."""

from hypothesis import given
from hypothesis import strategies as st

from services.ss import asked
from services.ss.entry import LATEST

THINGS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(THINGS)
def test_a_moment_is_one_that_the_index_can_look_for(thing: object) -> None:
    try:
        found = asked.moment(thing)
    except ValueError:
        return
    assert abs(found) <= LATEST
    assert found % 1000 == 0
