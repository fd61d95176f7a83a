"""Rows out of quarantine: quarantine -> core, by hand.

Lets refused rows of one table, by rule, by delivery or by both, go through their rules again, as after the meters they
name were loaded. What passes is merged under its own delivery and time, what does not stays held. The form names the
table and says why; who started the run is noted in `ops.quarantine_actions`. Corrections by hand and dropping are done
with `wattlake quarantine`, which also lists the rows.

Features follow for the date of the form: give one whose ingest DAGs have run. All tables of core are announced for it,
as features wait for all of them.

**When it is red.** Exit code 2: the form asks for something that cannot be done (no reason, no such table), or an
ingest job is at work on the table or was interrupted; the last line says what to do. Exit code 3: the files of the rows
are no longer in landing; nothing was changed. A crash has been tried three times and can be cleared as it is.

**Is a rerun safe?** Yes: what was released is not released again.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Param
from run_date import DATE_FORM
from spark_job import CORE_TABLES, DAG_SETTINGS, TABLES_APART, spark_job

TEXT = {"type": ["null", "string"], "maxLength": 500}
FORM = {
    "table": Param(
        "core.meter_days", enum=[*CORE_TABLES, *TABLES_APART], description="Table the rows were refused for"
    ),
    "rule": Param(None, **TEXT, description="Rows which broke this rule, as MD-04"),
    "delivery": Param(None, **TEXT, description="Rows of this delivery"),
    "reason": Param(None, **TEXT, description="Why they are released. Needed."),
}
SETTINGS = DAG_SETTINGS | {"params": DATE_FORM | FORM}


def asked(context: Mapping[str, Any]) -> dict[str, str]:
    """What the form says, who started the run and when: the same whenever a task of the run is tried again."""
    run, said = context["dag_run"], {name: context["params"].get(name) or "" for name in FORM}
    user = run.triggering_user_name or "airflow"
    return {"action": "release", **said, "user": user, "at": run.run_after.isoformat()}


with DAG("replay_quarantine", doc_md=__doc__, schedule=None, tags=["quarantine"], **SETTINGS):
    spark_job("replay_quarantine", outlets=(*CORE_TABLES, *TABLES_APART), options=asked)
