"""Validate and estimate meter days: readings, registers, past -> features.validated_days, a meter and a local date.

Curves are held against registers, neighbouring days, other meters and the meter's own past; what breaks a rule is
flagged, what the flags condemn or nobody sent is estimated, and says so in its quality. Only days which depend on
deliveries not taken up yet are made again. A rerun finds nothing new; a run that was killed is made again whole.

    wattlake build_validated_days --date 2025-06-30
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
