"""A fresh desk for each test."""

import pytest
from poller_kit import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
