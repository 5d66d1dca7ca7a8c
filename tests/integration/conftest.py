"""A whole gateway, or one with a past, for the tests of this folder that want one; those with another `gateway` make their own."""

import pytest

from tests import whole
from tests.web_scene import Scene


@pytest.fixture
def scene(store, tmp_path):
    return Scene(store, tmp_path)


@pytest.fixture
def gateway(tmp_path):
    """A gateway with one brand, not started; killed at the end if it runs."""
    with whole.Whole(tmp_path) as made:
        made.add_brand()
        yield made
