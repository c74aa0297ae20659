"""Text for a property of JUnit XML."""

from __future__ import annotations

import math
import re

LIMIT = 1_000
"""Letters of one property: a report of ten thousand tests must stay readable."""

# Char of XML 1.0, without the controls that are allowed and discouraged.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
_INVISIBLE = re.compile("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def property_text(value: object) -> str | None:
    """Return a value as text that XML 1.0 may hold and that turns no other text around.

    Long text is cut. None for what is not known.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"
    return _INVISIBLE.sub("\ufffd", _FORBIDDEN.sub("\ufffd", text))
