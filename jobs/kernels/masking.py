"""Free text without what points to a person."""

import re
from collections.abc import Iterable

MASK = "***"
_PATTERNS = (
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    # phone, customer, meter and identity-card numbers, also written in groups
    re.compile(r"(?:\d[ -]?){6,}[\dXx]"),
    re.compile(r"[\u4e00-\u9fff]{1,3}(?=(?:先生|女士|小姐|师傅|老师|同志))"),
    re.compile(r"\b(?:Mr|Mrs|Ms|Dr)\.? [A-Z][\w-]+"),
    re.compile(r"[\u4e00-\u9fff\d]{0,12}(?:路|街|巷|村|小区|大道)\d*号?(?:[\d-]+(?:号楼|栋|幢|单元|层|室|楼))*"),
)


def mask_text(text: str | None, own: Iterable[str | None] = ()) -> str | None:
    """The text with the row's own personal values, numbers, e-mail, forms of address and addresses masked."""
    if text is None:
        return None
    for value in sorted({v for v in own if v and len(v) > 1}, key=len, reverse=True):
        text = text.replace(value, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return text
