"""What must be true of bills, their lines, and payments."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

BILLS_SUITE = Suite(
    "core.bills",
    (
        readable("BI"),
        present("BI-01", "bill_id", "a bill without a number cannot be told apart"),
        present("BI-02", "bill_version", "a bill says which version it is"),
        present("BI-03", "customer_key", "a bill belongs to a customer"),
        Rule("BI-04", "bill_month IS NOT NULL AND bill_month RLIKE '^[0-9]{4}-(0[1-9]|1[0-2])$'", "a month is YYYY-MM"),
        Rule("BI-05", "period_to >= period_from", "a billing period does not end before it begins"),
        present("BI-06", "total_yuan", "a bill states an amount"),
        Rule("BI-07", "total_kwh >= 0", "energy drawn cannot be negative"),
        Rule("BI-08", "status IN ('issued', 'cancelled')", "a bill is issued or cancelled"),
        Rule("BI-09", "to_date(issued_at) <= date_add(business_date, 1)", "a bill of the future"),
        Rule("BI-10", "total_yuan >= 0", "an amount below zero: a credit, to be looked at", severity="warn"),
    ),
)

BILL_LINES_SUITE = Suite(
    "core.bill_lines",
    (
        readable("BL"),
        present("BL-01", "bill_id", "a line belongs to a bill"),
        present("BL-02", "bill_version", "a line belongs to a version of a bill"),
        present("BL-03", "line_no", "lines of a bill are numbered"),
        present("BL-04", "component", "a line says what it charges"),
        present("BL-05", "amount_yuan", "a line states an amount"),
        Rule(
            "BL-06",
            "component <> 'energy' OR abs(kwh * price_yuan - amount_yuan) <= 0.02",
            "energy x price is not the amount",
            severity="warn",
        ),
    ),
)

PAYMENTS_SUITE = Suite(
    "core.payments",
    (
        readable("PA"),
        present("PA-01", "payment_id", "a payment without a number cannot be told apart"),
        present("PA-02", "bill_id", "a payment belongs to a bill"),
        present("PA-03", "paid_at", "a payment has a date"),
        Rule("PA-04", "amount_yuan IS NOT NULL AND amount_yuan > 0", "a payment has an amount above zero"),
        Rule("PA-05", "to_date(paid_at) <= date_add(business_date, 1)", "a payment of the future"),
    ),
)
