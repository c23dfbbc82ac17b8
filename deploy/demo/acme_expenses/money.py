"""Amounts of money as whole cents, so that sums are exact."""

from collections.abc import Mapping
from decimal import Decimal

# How many decimals people use in each currency that the company pays in.
CURRENCIES: Mapping[str, int] = {
    "AUD": 2,
    "CAD": 2,
    "CHF": 2,
    "CZK": 2,
    "DKK": 2,
    "EUR": 2,
    "GBP": 2,
    "INR": 2,
    "JPY": 0,
    "KRW": 0,
    "NGN": 2,
    "NOK": 2,
    "PLN": 2,
    "SEK": 2,
    "SGD": 2,
    "USD": 2,
}

# Far below the 15 digits that a JSON number carries through a double without loss.
MAX_CENTS = 1_000_000_000_000


def to_number(cents: int) -> int | float:
    """The JSON number for an amount: 750.5 for 75050 cents, 12000 for 1200000 cents.

    Exact for every amount up to MAX_CENTS: the nearest double prints as the same two decimals.
    """
    whole, rest = divmod(cents, 100)
    return whole if rest == 0 else cents / 100


def to_cents(amount: Decimal, currency: str) -> int:
    """The whole cents of an amount; raises ValueError with a sentence when it has none."""
    if not amount.is_finite() or abs(amount) > MAX_CENTS // 100:
        raise ValueError(f"must be a number of at most {MAX_CENTS // 100:,}")
    decimals = CURRENCIES[currency]
    rounded = amount.quantize(Decimal(1).scaleb(-decimals))
    if rounded != amount:
        allowed = "no decimals" if decimals == 0 else f"at most {decimals} decimals"
        raise ValueError(f"may have {allowed} in {currency}")
    return int(rounded * 100)


def display(cents: int, currency: str) -> str:
    """An amount for people: `1,750.50 USD`, `12,000 JPY`."""
    return f"{Decimal(cents) / 100:,.{CURRENCIES[currency]}f} {currency}"


def form_value(cents: int, currency: str) -> str:
    """An amount as it stands in an input field: `1750.50`."""
    return f"{Decimal(cents) / 100:.{CURRENCIES[currency]}f}"
