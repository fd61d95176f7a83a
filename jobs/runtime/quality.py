"""Rules -> columns and counts on Spark, and the same rules as Great Expectations suites with their Data Docs pages.

The only place where Great Expectations is spoken. Spark evaluates each rule once, in the pass which stages the rows;
Great Expectations then validates the outcome of each rule on each row, rebuilt from how often every pattern of broken
rules occurred. So the pages show counts of rows and cost no second pass over the data.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from pyspark.sql import functions as F

from expectations.rule import Rule, Suite
from jobs.runtime.catalogue import RUNS_SHOWN, write_catalogue
from jobs.runtime.errors import DataError
from jobs.runtime.results import last_runs, results_of
from schemas.ops import RULE_RESULTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.runtime.context import Context

_MOST_SHOWN = 10


def with_broken_rules(
    rows: "DataFrame", suite: Suite, errors: str = "broken_rules", warns: str = "flags"
) -> "DataFrame":
    """Add two columns: ids of the error and of the warn row rules whose condition is false.

    A row which stands for a file that could not be read is judged by no rule.
    """
    return rows.withColumns(
        {
            errors: F.expr(ids_where_false(suite.row_rules("error"), rows.columns)),
            warns: F.expr(ids_where_false(suite.row_rules("warn"), rows.columns)),
        }
    )


def with_flags(rows: "DataFrame", suite: Suite) -> "DataFrame":
    """Add `flags`: ids of the warn row rules whose condition is false. What breaks an error rule is for the gate."""
    return with_broken_rules(rows, suite, "_errors", "flags").drop("_errors")


def odd_rows(rows: "DataFrame", suite: Suite) -> "DataFrame":
    """Rows which break a row rule, with the columns of `with_broken_rules`: lists are made for these alone."""
    broken = " OR ".join(f"(NOT ({rule.condition}))" for rule in suite.row_rules()) or "false"
    return with_broken_rules(rows.where(broken), suite)


def ids_where_false(rules: Sequence[Rule], columns: Sequence[str]) -> str:
    """SQL of the list of those rules' ids whose condition is false on a row with these columns."""
    if not rules:
        return "CAST(array() AS array<string>)"
    unless = "file_error IS NULL AND " if "file_error" in columns else ""
    cases = ", ".join(f"CASE WHEN {unless}NOT ({rule.condition}) THEN '{rule.id}' END" for rule in rules)
    return f"array_compact(array({cases}))"


def broken_batch_rules(rows: "DataFrame", suite: Suite) -> list[Rule]:
    """The batch rules whose aggregate condition is false, found in one pass."""
    rules = suite.batch_rules()
    if not rules:
        return []
    held = rows.agg(*(F.expr(rule.condition).alias(rule.id) for rule in rules)).collect()[0]
    return [rule for rule in rules if held[rule.id] is False]


def gate(ctx: "Context", rows: "DataFrame", suite: Suite) -> "DataFrame":
    """Stage and judge what a job is about to write; see `Context.gate`."""
    staged = ctx.stage(with_broken_rules(rows, suite, "_errors", "_warns"), suite.table)
    batch = suite.batch_rules()
    patterns = staged.groupBy("_errors", "_warns").count().collect()
    broken = broken_batch_rules(staged, suite)
    judged = sum(p["count"] for p in patterns)
    counts = {
        rule.id: sum(p["count"] for p in patterns if rule.id in p["_errors" if rule.severity == "error" else "_warns"])
        for rule in suite.row_rules()
    }
    counts.update({rule.id: int(rule in broken) for rule in batch})
    ctx.books.revise(
        RULE_RESULTS,
        [
            {
                "job": ctx.job,
                "run_date": ctx.date,
                "table_name": suite.table,
                "delivery_id": None,
                "rule_id": rule.id,
                "severity": rule.severity,
                "rows_judged": judged if rule.scope == "row" else 1,
                "rows_broken": counts[rule.id],
            }
            for rule in suite.rules
        ],
    )
    errors = [rule for rule in suite.rules if rule.severity == "error" and counts[rule.id]]
    for rule in suite.rules:
        if rule.severity == "warn" and counts[rule.id]:
            ctx.log.warning("%s: %s of %s rows (%s)", rule.id, counts[rule.id], judged, rule.reason)
    if errors:
        lines = "\n".join(
            f"  {rule.id}: {'the table' if rule.scope == 'batch' else f'{counts[rule.id]} of {judged} rows'}: "
            f"{rule.reason}"
            for rule in errors[:_MOST_SHOWN]
        )
        raise DataError(f"{suite.table} is not written, as its suite does not pass; what was there stays:\n{lines}")
    return staged.drop("_errors", "_warns")


# -- pages -----------------------------------------------------------------------------------------------------------


def compiled_suite(suite: Suite) -> Any:
    """The suite as a Great Expectations suite: each rule a column of outcomes, which must be true on every row.

    An `error` rule is critical, a `warn` rule a warning; the reason stands beside the result.
    """
    import great_expectations as gx

    severity = {"error": "critical", "warn": "warning"}
    return gx.ExpectationSuite(
        name=suite.table,
        expectations=[
            gx.expectations.ExpectColumnValuesToBeInSet(
                column=rule.id,
                value_set=[True],
                severity=severity[rule.severity],
                notes=f"{rule.reason}. Rule: {rule.condition}",
                meta={"condition": rule.condition, "scope": rule.scope},
            )
            for rule in suite.rules
        ],
    )


def outcome_frame(suite: Suite, counts: Sequence[dict[str, Any]]) -> Any:
    """One row a judged row and one Boolean column a rule, rebuilt from the books' counts (`ops.rule_results`).

    Rules are looked at one by one, so only the number of rows which broke each matters, not which rows they are.
    """
    import numpy as np
    import pandas as pd

    judged = {c["rule_id"]: 0 for c in counts}
    broken = dict(judged)
    for c in counts:
        judged[c["rule_id"]] += c["rows_judged"]
        broken[c["rule_id"]] += c["rows_broken"]
    length = max(judged.values(), default=0)
    columns = {}
    for rule in suite.rules:
        outcome = np.ones(length, dtype=bool)
        outcome[: broken.get(rule.id, 0)] = False
        # batch rules are judged once for all rows: they show as all true or all false
        columns[rule.id] = outcome if rule.scope != "batch" else np.full(length, broken.get(rule.id, 0) == 0)
    return pd.DataFrame(columns)


def write_pages(ctx: "Context", suites: dict[str, Suite]) -> str:
    """Validate the outcomes of all suites judged for the run's date; build the Data Docs pages and the catalogue."""
    by_table = results_of(ctx.books, ctx.date)
    if not by_table:
        return f"no suite was judged for {ctx.date}"
    docs = ctx.settings.quality.docs.resolve()
    docs.mkdir(parents=True, exist_ok=True)
    with FileLock(docs / ".lock"):
        write_catalogue(docs / CATALOGUE, suites.values(), last_runs(ctx.books, RUNS_SHOWN))
        passed = _validate(docs, ctx.date, suites, by_table, ctx.settings.quality.keep_validations)
    return f"{len(passed)} suites, {sum(passed.values())} passed without remark; pages: {docs / PAGES}"


PAGES = Path("pages/index.html")
CATALOGUE = PAGES.with_name("catalogue.html")
_RESULTS = Path("validations")


def _validate(
    docs: Path, run_date: date, suites: dict[str, Suite], counts: dict[str, list[dict[str, Any]]], keep: int
) -> dict[str, bool]:
    """Whether each suite that was judged passed without remark; its result and its pages are written.

    Only what was judged is rendered: the pages of other dates, which are many more, stay as they are.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context import set_context
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = gx.get_context(mode="ephemeral", project_config=_project(docs))
    # pages of suites which the library does not know are taken away, so it is told of those not judged today too
    held = {table: context.suites.add(compiled_suite(suite)) for table, suite in suites.items()}
    source = context.data_sources.add_pandas("outcomes")
    run = RunIdentifier(run_name=run_date.isoformat(), run_time=datetime.combine(run_date, time(), UTC))
    passed, written = {}, []
    for table in sorted(counts.keys() & suites.keys()):
        batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("rows judged")
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=table, data=batch, suite=held[table])
        )
        outcomes = {"dataframe": outcome_frame(suites[table], counts[table])}
        result = definition.run(batch_parameters=outcomes, result_format="BASIC", run_id=run)
        passed[table] = bool(result.success)
        suite_id = ExpectationSuiteIdentifier(table)
        written += [suite_id, ValidationResultIdentifier(suite_id, run, result.batch_id)]
    _forget_old(docs, keep)
    context.build_data_docs(resource_identifiers=written)
    set_context(None)  # the context is a global of the library: another folder comes next time
    return passed


def _project(docs: Path) -> Any:
    """A project of which only the results and the pages are files: the rest is made anew from the rules each time."""
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    def files(folder: Path) -> dict[str, str]:
        return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}

    stores = InMemoryStoreBackendDefaults().stores
    stores["validation_results_store"]["store_backend"] = files(docs / _RESULTS)
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": files(docs / PAGES.parent),
        "site_index_builder": {
            "class_name": "DefaultSiteIndexBuilder",
            "renderer": {"module_name": __name__, "class_name": IndexWithCatalogue.__name__},
        },
        "site_section_builders": {"profiling": "None"},  # the library takes the word for "not wanted"
    }
    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        stores=stores,
        data_docs_sites={"local_site": site},
        progress_bars={"globally": False},
        analytics_enabled=False,
    )


class IndexWithCatalogue:
    """The library's index page with a link to the catalogue of rules above its tables; the library asks for it."""

    def render(self, links: dict[str, Any]) -> Any:
        """The content of the page."""
        from great_expectations.render import RenderedStringTemplateContent
        from great_expectations.render.renderer import SiteIndexPageRenderer

        page = SiteIndexPageRenderer.render(links)
        link = {
            "template": "$catalogue: every rule, and how many rows broke it in the last runs",
            "params": {"catalogue": "Catalogue of rules"},
            "styling": {"params": {"catalogue": {"tag": "a", "attributes": {"href": CATALOGUE.name}}}},
        }
        page.sections[0].content_blocks.insert(
            1,
            RenderedStringTemplateContent(
                content_block_type="string_template", string_template=link, styling={"classes": ["col-12", "mb-3"]}
            ),
        )
        return page


def _forget_old(docs: Path, keep: int) -> None:
    """Keep the results of the latest run dates of each suite; their pages go with them."""
    for suite in (docs / _RESULTS).glob("*/*"):
        for old in sorted(suite.iterdir())[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
