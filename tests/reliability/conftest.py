"""A shop with built features, two registered models and its settings as a file, for real jobs."""

import pytest
from standing_shop import stand


@pytest.fixture(scope="session")
def shop(spark, tmp_path_factory):
    return stand(spark, tmp_path_factory.mktemp("reliability"))
