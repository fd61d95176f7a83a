"""95598 work orders, each in its latest state.

Surprises: a work order comes several times as it is replied to and closed; the text is written by an agent in a hurry
and holds names and phone numbers, which are masked before anything is stored.
"""

from schemas.common import CUSTOMER_KEY, FLAGS, INSTANT, INT, PROVENANCE, STRING
from schemas.table import Column, Table

COMPLAINTS = Table(
    name="core.complaints",
    comment="Work orders of the service line (95598 工单), latest state",
    key=("work_order_id",),
    columns=(
        Column("work_order_id", STRING, "Number of the work order (工单编号)"),
        CUSTOMER_KEY,
        Column(
            "category",
            STRING,
            "complaint 投诉, report 举报, opinion 意见, suggestion 建议, enquiry 咨询, fault_repair 报修, praise 表扬",
        ),
        Column("cause", STRING, "Cause as the service line codes it"),
        Column("channel", STRING, "How the contact came: hotline, app, hall, wechat, field"),
        Column("accepted_at", INSTANT, "Acceptance (受理), UTC"),
        Column("replied_at", INSTANT, "First reply (回复), UTC"),
        Column("closed_at", INSTANT, "Closure (办结), UTC"),
        Column("satisfaction", INT, "Score of the return visit (回访), 1 to 5; null where there was none"),
        Column("content_masked", STRING, "What was said, with names, numbers and addresses masked"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)
