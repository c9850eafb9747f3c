"""What models cost: prices, what was used, and what may be spent.

Amounts are in nano-dollars (a billionth of a US dollar), so that the cheapest token has a whole
price and sums are exact.
"""

from storage.money.prices import NANOS, Price, Prices
from storage.money.usage import Budget, Spent, Used

__all__ = ["NANOS", "Budget", "Price", "Prices", "Spent", "Used"]
