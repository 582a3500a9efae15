import collections

import pytest

from optdist.errors import ConfigError
from optdist.plugins import named_class

KNOWN = {"ordered": "collections:OrderedDict", "list": list}


def test_a_class_is_found_by_its_short_name_or_by_its_module():
    assert named_class("a.b", "ordered", KNOWN) is collections.OrderedDict
    assert named_class("a.b", "list", KNOWN) is list
    assert named_class("a.b", "collections:Counter", KNOWN) is collections.Counter


@pytest.mark.parametrize("name", ["lst", "nowhere:Class", "collections:Nothing", ":Counter", ""])
def test_a_name_that_leads_nowhere_is_an_error_that_lists_the_known_ones(name):
    with pytest.raises(ConfigError, match=r"`a\.b` must be one of ordered, list or `package"):
        named_class("a.b", name, KNOWN)
