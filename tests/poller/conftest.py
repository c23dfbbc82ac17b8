"""A fresh desk for each test, and retries that do not keep anybody waiting."""

import pytest

from services.poller import pace
from tests.poller.poller_kit import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_RETRY_S", 0.02)
