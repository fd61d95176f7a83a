"""What is shown at the end of a demonstration is there."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import write_deltalake

from jobs.runtime.books import arrow_schema
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.quality import PAGES
from jobs.runtime.summary import publication_summary
from schemas.mart import CUSTOMER_SCORES, PUBLICATIONS
from schemas.ops import RECONCILIATION
from tests.province import settings_at

DAY = date(2025, 6, 30)


@pytest.fixture
def published(tmp_path: Path) -> Context:
    """A lake with a publication without a customer, and one delivery that adds up."""
    ctx = Context(job="show_publication", date=DAY, settings=settings_at(tmp_path))
    publication = {
        "as_of_date": DAY,
        "published_at": datetime(2025, 6, 30, 23, tzinfo=UTC),
        "model_versions": ["segments/1"],
        "table_rows": [("mart.customer_scores", 0)],
    }
    ctx.books.append(PUBLICATIONS, [publication])
    counts = {"rows_read": 1, "rows_accepted": 1, "rows_superseding": 0, "rows_duplicate": 0, "rows_quarantined": 0}
    ctx.books.append(RECONCILIATION, [{"delivery_id": "d1", "feed": "bills", "business_date": DAY, **counts}])
    write_deltalake(ctx.books.path(CUSTOMER_SCORES), arrow_schema(CUSTOMER_SCORES).empty_table())
    return ctx


def test_a_publication_without_quality_pages_is_no_success(published: Context) -> None:
    with pytest.raises(DataError, match=f"run write_quality_pages --date {DAY}"):
        publication_summary(published)


def test_a_publication_with_its_pages_is_shown_with_where_they_are(
    published: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = published.settings.quality.docs / PAGES
    pages.parent.mkdir(parents=True)
    pages.touch()
    assert "all accounted for" in publication_summary(published)
    assert str(pages) in capsys.readouterr().out.replace("\n", "")


def test_a_date_without_a_publication_is_said(published: Context) -> None:
    published.date += timedelta(days=1)
    with pytest.raises(DataError, match="Nothing is published"):
        publication_summary(published)
