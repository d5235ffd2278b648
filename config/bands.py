"""The bands of a tariff and the parts of a price: words that data, plant file and arithmetic share."""

from typing import Final, Literal

Band = Literal["sharp", "peak", "flat", "valley", "deep_valley"]
"""What an hour costs like."""

BANDS: Final[tuple[Band, ...]] = ("sharp", "peak", "flat", "valley", "deep_valley")
"""In the order an invoice lists them."""

Part = Literal["purchase", "losses", "transmission", "system", "funds"]
"""What a price per kWh is made of, as on the invoice: 上网（购电）电价, 上网环节线损费用, 电度输配电价,
系统运行费用, 政府性基金及附加."""

PARTS: Final[tuple[Part, ...]] = ("purchase", "losses", "transmission", "system", "funds")

Use = Literal["industry", "commerce"]
Confidence = Literal["high", "medium", "low"]
