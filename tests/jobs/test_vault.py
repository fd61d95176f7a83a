"""Personal data stay in the vault (law 7)."""

import csv
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from jobs.kernels.pseudonyms import decrypt_values
from jobs.runtime.identities import load_keys
from schemas import TABLES
from schemas.customers import CUSTOMER_IDENTITIES
from tests.province import SECOND_DAY, Site


def _delivered_people(landing: Path) -> list[dict[str, str]]:
    people = []
    for file in landing.glob("customers/*/*/*.csv"):
        with file.open(encoding="utf-8") as lines:
            people += list(csv.DictReader(lines))
    return people


def _texts(column: pa.ChunkedArray) -> set[str]:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _texts(pa.chunked_array([column.combine_chunks().flatten()]))
    if pa.types.is_map(kind):
        pairs = column.combine_chunks()
        return _texts(pa.chunked_array([pairs.items])) | _texts(pa.chunked_array([pairs.keys]))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return {text for text in column.unique().to_pylist() if text}
    return set()


def test_no_text_anywhere_else_holds_a_name_a_phone_number_an_address_or_a_customer_number(province: Site) -> None:
    people = _delivered_people(province.home / "landing")
    assert len(people) > 100
    wanted = {p[key] for p in people for key in ("户号", "户名", "联系电话", "用电地址") if len(p[key]) > 1}
    lake = province.context("look", SECOND_DAY).lake
    seen = 0
    for table in TABLES.values():
        if table.layer == "vault" or not lake.exists(table):
            continue
        reader = QueryBuilder().register("t", DeltaTable(str(lake.path(table))))
        rows = pa.table(reader.execute("SELECT * FROM t").read_all())
        for name in rows.column_names:
            texts = _texts(rows.column(name))
            seen += len(texts)
            found = {person for person in wanted if any(person in text for text in texts)}
            assert not found, f"{table.name}.{name} holds {len(found)} personal value(s)"
    assert seen > 1000


def test_the_vault_gives_each_customer_back_with_its_key_and_holds_no_plain_text(province: Site) -> None:
    people = {p["户号"]: p for p in _delivered_people(province.home / "landing")}
    ctx = province.context("look", SECOND_DAY)
    vault = pa.table(
        QueryBuilder()
        .register("t", DeltaTable(str(ctx.lake.path(CUSTOMER_IDENTITIES))))
        .execute("SELECT * FROM t")
        .read_all()
    )
    keys = load_keys(ctx.settings.secrets)
    numbers = decrypt_values(vault.column("customer_no_encrypted").combine_chunks().cast(pa.string()), keys.vault)
    assert set(numbers.to_pylist()) == set(people)
    phones = decrypt_values(vault.column("phone_encrypted").combine_chunks().cast(pa.string()), keys.vault)
    assert {people[n]["联系电话"] for n in people} == set(phones.to_pylist())
    assert not set(people) & _texts(vault.column("customer_no_encrypted"))
    for name in ("pseudonym.key", "vault.key"):
        assert (ctx.settings.secrets.folder / name).stat().st_mode & 0o077 == 0
