"""Which of several nodes relays a channel, and from which side an asker reaches it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.errors import Problem
from services.smc.places import Candidate, choose, side

NODES = st.lists(
    st.builds(Candidate, st.text("abc", min_size=1, max_size=3), st.sampled_from(["", "", "It is off."]),
              st.floats(0, 100)),
    max_size=6,
)  # fmt: skip


@given(NODES, st.randoms(use_true_random=False))
def test_the_least_loaded_node_that_can_is_chosen_in_any_order(
    found: list[Candidate], chance: Random
) -> None:
    able = [one for one in found if not one.why]
    if not able:
        with pytest.raises(Problem) as caught:
            choose(found)
        assert caught.value.status == 503
        assert all(f"{one.node}: {one.why}" in caught.value.why for one in found)
        return
    chosen = choose(found)
    assert chosen in able
    assert all(chosen.load <= one.load for one in able)
    chance.shuffle(found)
    assert choose(found) == chosen


@pytest.mark.parametrize(
    ("asker", "lan", "wanted"),
    [("192.168.1.5", "192.168.1.2", "lan"), ("8.8.8.8", "192.168.1.2", "wan"), ("8.8.8.8", "9.9.9.9", "lan"),
     ("127.0.0.1", "10.0.0.1", "lan"), ("", "10.0.0.1", "lan"), ("2001:4860:4860::8888", "fd00::1", "wan")],
)  # fmt: skip
def test_only_from_outside_the_mapping_address_is_told(asker: str, lan: str, wanted: str) -> None:
    assert side(asker, lan) == wanted
