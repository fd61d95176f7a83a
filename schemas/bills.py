"""Bills, their components, and payments.

Comes from the billing system. Surprises: a bill is cancelled (冲红) and issued again under a higher version; the
version with the highest number holds; a bill on an estimated read looks like any other but for `read_kind`.
"""

from schemas.common import CUSTOMER_KEY, DATE, DOUBLE, FLAGS, INSTANT, INT, PRICE, PROVENANCE, STRING, YUAN
from schemas.table import Column, Table

_BILL_ID = Column("bill_id", STRING, "Number of the bill (账单编号)")
_BILL_VERSION = Column("bill_version", INT, "Version of the bill, from 1; the highest holds")
_PERIOD_CODE = Column("period_code", STRING, "Time-of-use period: sharp, peak, flat, valley (尖峰平谷) or all")

BILLS = Table(
    name="core.bills",
    comment="Bills (电费账单): a version of a bill",
    key=("bill_id", "bill_version"),
    columns=(
        _BILL_ID,
        _BILL_VERSION,
        CUSTOMER_KEY,
        Column("bill_month", STRING, "Billing month, YYYY-MM"),
        Column("status", STRING, "issued or cancelled (冲红)"),
        Column("period_from", DATE, "First local date billed"),
        Column("period_to", DATE, "Last local date billed"),
        Column("read_kind", STRING, "actual (实抄) or estimated (估抄)"),
        Column("total_kwh", DOUBLE, "Energy billed, kWh"),
        Column("total_yuan", YUAN, "Amount of the bill"),
        Column("due_date", DATE, "Last local date to pay"),
        Column("issued_at", INSTANT, "When the bill was issued, UTC"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
    deletion_vectors=True,
)

BILL_LINES = Table(
    name="core.bill_lines",
    comment="Components of bills: a line of a version of a bill",
    key=("bill_id", "bill_version", "line_no"),
    columns=(
        _BILL_ID,
        _BILL_VERSION,
        Column("line_no", INT, "Number of the line in the bill"),
        Column("component", STRING, "energy, capacity, demand, power_factor"),
        _PERIOD_CODE,
        Column("tier_no", INT, "Step of a tiered price (阶梯), from 1; null where there is none"),
        Column("kwh", DOUBLE, "Energy of the line, kWh"),
        Column("price_yuan", PRICE, "Price, yuan per kWh (or per kVA and month for capacity)"),
        Column("amount_yuan", YUAN, "Amount of the line"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
    deletion_vectors=True,
)

PAYMENTS = Table(
    name="core.payments",
    comment="Payments of bills",
    key=("payment_id",),
    columns=(
        Column("payment_id", STRING, "Number of the payment"),
        _BILL_ID,
        CUSTOMER_KEY,
        Column("paid_at", INSTANT, "When it was paid, UTC"),
        Column("amount_yuan", YUAN, "Amount paid"),
        Column("channel", STRING, "app, hall, bank, wechat, other"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
    deletion_vectors=True,
)
