"""Rules which every feed's suite begins with."""

from expectations.rule import FIRST_RELEASE, Rule


def readable(prefix: str, since: str = FIRST_RELEASE) -> Rule:
    """All values of a row can be read as what their columns are declared to be."""
    return Rule(
        f"{prefix}-00",
        "size(coalesce(unreadable, array())) = 0",
        "a value cannot be read as its type (text in a number, a date that does not exist, a code not declared): "
        "see the row's `unreadable` and `raw_values`",
        since=since,
    )


def present(rule_id: str, column: str, reason: str, since: str = FIRST_RELEASE) -> Rule:
    """A column must have a value."""
    return Rule(rule_id, f"{column} IS NOT NULL", reason, since=since)
