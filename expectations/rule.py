"""What a rule and a suite of rules are: plain data, compiled elsewhere to Spark and to Great Expectations."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warn"]
Scope = Literal["row", "key", "batch"]

# rules of the first release need not say since when they are
FIRST_RELEASE = "0.1.0"


@dataclass(frozen=True)
class Rule:
    """One statement that must hold.

    `condition` is SQL over the columns of the judged frame; the rule is broken only where it is **false** (as an ANSI
    CHECK), so say `IS NOT NULL` where null is wrong. A *row* rule of severity `error` sends the row to quarantine, one
    of `warn` marks it. A *key* rule looks at all rows of one key in one delivery, where there are several; of them it
    knows `values_count`, how many different values they hold, and its severity is `warn`. A *batch* rule is an
    aggregate; `error` stops the job before anything is written. `since` is the release of the suite in which the rule
    came: counts of earlier runs know nothing of it.
    """

    id: str
    condition: str
    reason: str
    severity: Severity = "error"
    scope: Scope = "row"
    since: str = FIRST_RELEASE


@dataclass(frozen=True)
class Suite:
    """All that must be true of one table's new rows."""

    table: str
    rules: tuple[Rule, ...]

    def row_rules(self, severity: Severity | None = None) -> tuple[Rule, ...]:
        """Row rules, of one severity if given."""
        return tuple(r for r in self.rules if r.scope == "row" and severity in (None, r.severity))

    def key_rules(self) -> tuple[Rule, ...]:
        """Key rules."""
        return tuple(r for r in self.rules if r.scope == "key")

    def counted_rules(self) -> tuple[Rule, ...]:
        """Rules of which it is counted how many rows broke them."""
        return self.row_rules() + self.key_rules()

    def batch_rules(self) -> tuple[Rule, ...]:
        """Batch rules of both severities."""
        return tuple(r for r in self.rules if r.scope == "batch")
