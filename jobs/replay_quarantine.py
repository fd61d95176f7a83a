"""Replay rows out of quarantine into their table: release what passes its rules now, correct by hand, or drop.

quarantine.<table>, the files in landing, and the steps and rules of the ingest job -> core.<table>, its versions, the
rows' status, and ops.quarantine_actions. Rows by rule, delivery or id (comma between several); `at` is when it is done.
A rerun finds nothing left to do; what was killed is finished first. `wattlake quarantine` asks for the same in fewer
words.

    wattlake replay_quarantine --date 2025-06-30 --key table=core.meter_days --key action=release --key rule=MD-04
        --key "reason=meters are known now" --key user=li.wei --key at=2025-07-01T08:00:00+08:00
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.quarantine import table_of_quarantine
from jobs.runtime.replay import action_of, replay


def run(ctx: Context) -> str:
    """Understand what is asked for, and do it on the way of the table's ingest job."""
    action = action_of(ctx.options)
    table = table_of_quarantine(ctx.options.get("table"))
    return replay(ctx, SOURCES[table.name], action)
