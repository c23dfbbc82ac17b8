"""Lets pytest explain a failed sentence."""

import pytest

pytest.register_assert_rewrite("tests.specification")
