"""What a benchmark has to reach: said beside what it measured, and which of it was missed."""

import operator
from collections.abc import Mapping
from typing import Any

_COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq}
Limits = Mapping[str, tuple[str, float]]  # by figure: a sign of `_COMPARE`, and the number


def missed(figures: Mapping[str, Any], limits: Limits) -> dict[str, list[str]]:
    """`{"missed": [...]}`, empty where all that was measured is within its limit."""
    said = [
        f"{name} {sign} {limit:g}"
        for name, (sign, limit) in limits.items()
        if name in figures and not _COMPARE[sign](figures[name], limit)
    ]
    return {"missed": said}
