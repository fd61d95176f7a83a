"""What must be true of a 95598 work order."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

COMPLAINTS_SUITE = Suite(
    "core.complaints",
    (
        readable("CO"),
        present("CO-01", "work_order_id", "a work order without a number cannot be told apart"),
        present("CO-02", "accepted_at", "service levels are measured from acceptance"),
        present("CO-03", "category", "a work order has a category"),
        Rule("CO-04", "to_date(accepted_at) <= date_add(business_date, 1)", "a work order of the future"),
        Rule("CO-05", "replied_at >= accepted_at", "a reply does not come before the contact", severity="warn"),
        Rule("CO-06", "closed_at >= accepted_at", "a closure does not come before the contact", severity="warn"),
        Rule("CO-07", "satisfaction BETWEEN 1 AND 5", "a return visit is scored from 1 to 5"),
        Rule("CO-08", "customer_key IS NOT NULL", "the caller could not be matched to a customer", severity="warn"),
    ),
)
