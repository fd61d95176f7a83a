"""Stories which are told in any order."""

from hypothesis import HealthCheck, Phase, settings

from schemas.ops import RECONCILIATION
from tests.province import FIRST_DAY, Site


def orders_tried(count: int) -> settings:
    """How Hypothesis tries so many orders of a story which takes minutes."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        # to look for a simpler story takes longer than to read this one
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def assert_all_rows_accounted_for(site: Site) -> None:
    """What was read of every delivery is what became of its rows."""
    for row in site.context("look", FIRST_DAY).books.read(RECONCILIATION):
        parts = ("accepted", "superseding", "duplicate", "quarantined")
        assert row["rows_read"] == sum(row[f"rows_{part}"] for part in parts)
