"""The names by which a portal may be opened are its own."""

from pathlib import Path

from portal.settings import host_names
from services.runtime.config import Node

NODE = Node("1", "Site", "main-a", "main", "198.18.0.10", "203.0.113.10", Path("/srv"), None)
HOSTS = """
127.0.0.1 localhost   # this host
198.18.0.10\tDSS.city.example dss
198.18.0.21 sub-1.city.example
203.0.113.10 video.city.example
# 198.18.0.10 commented.example
"""


def test_names_of_own_addresses_are_known_and_those_of_others_are_not() -> None:
    names = host_names(NODE, HOSTS)
    assert names >= {"main-a", "main-a.node.dss", "localhost"}
    assert names >= {"dss.city.example", "dss", "video.city.example"}
    assert not names & {"sub-1.city.example", "commented.example", "#"}


def test_a_hosts_file_of_nonsense_names_nothing() -> None:
    assert host_names(NODE, "\0\n\n#\n198.18.0.10\n") >= {"main-a"}
