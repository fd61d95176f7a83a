"""Customers as known to billing: one row from each date on which something about them changed.

Surprises: a customer with a contract may have no meter yet; the version with the latest valid_from up to a date holds
on that date. Names, phone numbers and addresses are not here but in the vault.
"""

from pyspark.sql.types import BooleanType

from schemas.common import CUSTOMER_KEY, DATE, DOUBLE, FLAGS, PROVENANCE, STRING
from schemas.table import Column, Table

CUSTOMERS = Table(
    name="core.customers",
    comment="Customers (用电客户): a customer from a date on",
    key=("customer_key", "valid_from"),
    columns=(
        CUSTOMER_KEY,
        Column("valid_from", DATE, "First local date on which the row holds"),
        Column(
            "usage_class",
            STRING,
            "Usage class (用电类别): large_industrial, general_commercial, agricultural, residential",
        ),
        Column("industry", STRING, "Industry as billing names it (行业)"),
        Column("tariff_code", STRING, "Tariff of the contract (电价代码)"),
        Column("contract_capacity_kva", DOUBLE, "Contract capacity (合同容量), kVA"),
        Column("supply_start_date", DATE, "Start of supply (立户日期)"),
        Column("channel_preference", STRING, "Channel by which the customer wants to be reached"),
        Column("has_marketing_consent", BooleanType(), "Whether the customer agreed to be addressed with offers"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)

CUSTOMER_IDENTITIES = Table(
    name="vault.customer_identities",
    comment="The only place of names, phone numbers and addresses, each encrypted (AES-SIV)",
    key=("customer_key",),
    columns=(
        CUSTOMER_KEY,
        Column("customer_no_encrypted", STRING, "Source number of the customer (户号), encrypted"),
        Column("name_encrypted", STRING, "Name of the customer, encrypted"),
        Column("phone_encrypted", STRING, "Phone number, encrypted"),
        Column("address_encrypted", STRING, "Address of supply, encrypted"),
        *PROVENANCE,
    ),
    write="upsert",
)
