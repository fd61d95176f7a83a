"""How days are validated: the chain from the days to make to finished ones, without where they come from and go to.

In one place, so that stories of tests go the very way of the job.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from expectations.validated_days import PATTERNS, VALIDATED_DAYS_SUITE
from jobs.kernels.day_checks import EVIDENCE
from jobs.kernels.days_around import AROUND, days_around
from jobs.runtime.quality import with_broken_rules
from jobs.transforms.day_context import (
    connections,
    seen_days,
    with_connection,
    with_curves,
    with_temperature,
    with_usual,
)
from jobs.transforms.validated_days import Batches, finished_days, settled_days, with_patterns, with_peers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.transforms.changes import Facts

# works out rows once and for all; the word names them
Stage = Callable[["DataFrame", str], "DataFrame"]
# what is added to a day by looking at it and at the dates around it
_SEEN = pa.schema([*AROUND, *EVIDENCE])


def validated(
    keys: "DataFrame", near: "Facts", profiles: "DataFrame", look: Batches, mend: Batches, stage: Stage
) -> "DataFrame":
    """The days of `keys` (`with_expectation`), finished.

    near: the facts on their dates and those beside them. look, mend: `day_evidence`, `finished_days` of the kernels.
    """
    seen = stage(seen_days(keys, near, lambda batches: look(days_around(batches)), _SEEN), "evidence")
    connected = with_connection(seen, stage(connections(near), "connections"))
    known = with_temperature(with_usual(connected, profiles), near)
    patterned = with_patterns(with_peers(known, settled_days(keys, near)), PATTERNS)
    judged = with_broken_rules(patterned, VALIDATED_DAYS_SUITE, "_errors", "found_flags")
    days = with_curves(stage(judged.drop("_errors"), "judged"), near, profiles)
    return finished_days(days, mend, near.time_zone)
