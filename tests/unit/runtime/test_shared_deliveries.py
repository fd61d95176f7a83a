"""Two feeds which read the same deliveries: what each declares, and that every row is one feed's."""

import re
from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.runtime.errors import UserError
from jobs.runtime.feed_files import FeedFiles
from jobs.runtime.reading import LEFT_OUT, own_rows, row_type
from schemas import channel_days
from schemas.feed import Feed

CURVES = """
table: core.meter_days
reader: curve_wide
pattern: "*.txt"
columns:
  - {target: meter_id, source: meter}
  - {target: read_date, source: day, type: date}
  - {target: channel, source: kind, values: {I: import, E: export, Q: reactive_import}}
  - {target: phase, source: phase, optional: true}
"""
CHANNELS = """
table: core.channel_days
deliveries_of: meter_days
takes: {channel: [export, reactive_import]}
"""


class Readers:
    """Readers which add what all readers of curves do."""

    def metric_columns(self, reader: str) -> list[tuple[str, str]]:
        return [("source_rows", "int")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "feeds").mkdir()
    monkeypatch.setenv("WATTLAKE_CONF", str(tmp_path))
    declare(tmp_path, meter_days=CURVES, channel_days=CHANNELS)
    return tmp_path


def declare(folder: Path, **feeds: str) -> None:
    for name, declared in feeds.items():
        (folder / "feeds" / f"{name}.yaml").write_text(declared, encoding="utf-8")


def load(name: str, env: str | None = None) -> Feed:
    return FeedFiles(env, "Asia/Shanghai").load(name)


def rows_of(*rows: tuple[str | None, str | None, int]) -> pa.Table:
    channel, phase, source_rows = (list(column) for column in zip(*rows, strict=True))
    texts = {"channel": pa.array(channel, pa.string()), "phase": pa.array(phase, pa.string())}
    return pa.table({**texts, "source_rows": pa.array(source_rows, pa.int64())})


@pytest.mark.usefixtures("folder")
def test_a_feed_that_reads_anothers_deliveries_is_declared_as_that_one() -> None:
    curves, channels = load("meter_days"), load("channel_days")
    assert (channels.name, channels.table, channels.landing) == ("channel_days", "core.channel_days", "meter_days")
    assert (curves.landing, curves.takes, channels.leaves) == ("meter_days", None, ())
    assert curves.leaves == (channels.takes,) == ({"channel": ("export", "reactive_import")},)
    for name in ("reader", "pattern", "columns", "time_zone", "curve", "encoding"):
        assert getattr(channels, name) == getattr(curves, name), name


def test_without_another_feed_nothing_is_left(folder: Path) -> None:
    (folder / "feeds" / "channel_days.yaml").unlink()
    feed = load("meter_days")
    assert not feed.shares_rows
    assert LEFT_OUT not in row_type(feed, Readers()).names
    rows = rows_of(("export", None, 1), (None, None, 1))
    assert own_rows(rows, feed) == (rows, 0)


def test_an_environment_may_declare_either_of_them(folder: Path) -> None:
    (folder / "feeds" / "channel_days.yaml").unlink()
    (folder / "sun" / "feeds").mkdir(parents=True)
    declare(folder / "sun", channel_days=CHANNELS)
    assert load("meter_days").leaves == ()
    assert load("meter_days", "sun").leaves == (load("channel_days", "sun").takes,)
    assert load("channel_days", "sun").pattern == "*.txt"
    declare(folder / "sun", meter_days=CURVES.replace("*.txt", "*.csv"))
    assert load("channel_days", "sun").pattern == "*.csv"


@pytest.mark.usefixtures("folder")
def test_a_row_whose_channel_nobody_could_read_or_takes_stays() -> None:
    rows = rows_of(("import", None, 1), ("export", None, 2), (None, None, 4), ("other", None, 8))
    own, left_out = own_rows(rows, load("meter_days"))
    assert (own.column("channel").to_pylist(), left_out) == (["import", None, "other"], 2)
    own, left_out = own_rows(rows, load("channel_days"))
    assert (own.column("channel").to_pylist(), left_out) == (["export"], 13)


def test_every_row_is_one_feeds_however_many_there_are(folder: Path) -> None:
    third = "{table: core.register_readings, deliveries_of: meter_days, takes: {channel: [export], phase: [a, b]}}"
    declare(folder, register_readings=third, channel_days=CHANNELS.replace("]}", "], phase: [c]}"))
    values = list(product(("import", "export", "reactive_import", "other", None), ("a", "b", "c", "d", None)))
    rows = rows_of(*((channel, phase, 2**n) for n, (channel, phase) in enumerate(values)))
    feeds = [load(name) for name in ("meter_days", "channel_days", "register_readings")]
    taken, left_out = zip(*(own_rows(rows, feed) for feed in feeds), strict=True)
    marks = [mark for table in taken for mark in table.column("source_rows").to_pylist()]
    assert sorted(marks) == rows.column("source_rows").to_pylist()
    assert [table.num_rows for table in taken] == [21, 2, 2]
    # what a feed takes and what it leaves is the whole file
    assert {sum(t.column("source_rows").to_pylist()) + left for t, left in zip(taken, left_out, strict=True)} == {
        2 ** len(values) - 1
    }


def test_no_rows_are_no_rows(folder: Path) -> None:
    del folder
    none = rows_of(("import", None, 1)).slice(0, 0)
    assert [own_rows(none, load(name))[1] for name in ("meter_days", "channel_days")] == [0, 0]


WRONG = {
    "another declaration": (CHANNELS + "encoding: gbk\npattern: x\n", "encoding, pattern: as declared for meter_days"),
    "no such feed": (CHANNELS.replace("meter_days", "curves"), "deliveries_of: no feed curves is declared"),
    "itself": (CHANNELS.replace("of: meter_days", "of: channel_days"), "name the feed which it names"),
    "nothing taken": (CHANNELS.replace("takes", "description").replace("{channel: [export, reactive_import]}", "x"),
                      "takes: which rows of meter_days?"),
    "no values": (CHANNELS.replace("[export, reactive_import]", "[]"), "takes: which rows of meter_days?"),
    "no such column": (CHANNELS.replace("channel:", "kind:"), "takes: kind: no column of texts of meter_days"),
    "a column of dates": (CHANNELS.replace("channel:", "read_date:"), "takes: read_date: no column of texts"),
    "another table": (CHANNELS.replace("core.channel_days", "core.bills"), "a feed of core.bills is called bills"),
    "a table of nobody": (CHANNELS.replace("core.channel_days", "core.third"), "core.third: no job loads it"),
    "deliveries of nobody": (CURVES + "takes: {channel: [export]}\n", "takes: whose rows? It goes with deliveries_of"),
    "what it leaves": (CURVES + "leaves: [{channel: [export]}]\n", "leaves: is what other feeds take"),
    "an unknown key": (CHANNELS + "taks: {}\n", "taks: as declared for meter_days"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_shared_is_refused_in_one_line(folder: Path, case: str) -> None:
    declared, said = WRONG[case]
    declare(folder, channel_days=declared)
    with pytest.raises(UserError, match=r"channel_days\.yaml cannot be used: ") as raised:
        load("channel_days")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_feed_does_not_leave_rows_to_one_that_cannot_take_them(folder: Path) -> None:
    declare(folder, channel_days=CHANNELS + "encoding: gbk\n")
    with pytest.raises(UserError, match=r"channel_days\.yaml cannot be used: encoding"):
        load("meter_days")


def test_a_file_of_a_feed_that_shares_nothing_may_be_broken(folder: Path) -> None:
    declare(folder, bills="table: [")
    assert load("meter_days").shares_rows
    with pytest.raises(UserError, match="this is no YAML"):
        load("bills")


@pytest.mark.parametrize("name", ["meter_days", "channel_days", "register_readings"])
def test_two_feeds_do_not_take_the_same_rows(folder: Path, name: str) -> None:
    taken = "{phase: [a], channel: [export, net]}"
    declare(folder, register_readings=f"table: core.register_readings\ndeliveries_of: meter_days\ntakes: {taken}\n")
    with pytest.raises(UserError, match="channel_days and register_readings take the same rows of meter_days"):
        load(name)


def test_only_curves_are_shared(folder: Path) -> None:
    declare(folder, meter_days="table: core.meter_days\nreader: table_csv\ncolumns: [{target: channel, source: c}]\n")
    with pytest.raises(UserError, match="only feeds of curves share their deliveries, not those of table_csv"):
        load("channel_days")


def test_the_example_takes_every_channel_there_is_beside_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATTLAKE_CONF", raising=False)
    assert set((load("channel_days", "examples").takes or {})["channel"]) == set(channel_days.CHANNELS)


def test_the_feed_of_the_guide_can_be_used_beside_its_other_examples(folder: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "feeds.md").read_text(encoding="utf-8")
    [channels] = [text for text in re.findall(r"```yaml\n(.*?)```", guide, re.S) if "deliveries_of:" in text]
    curves = [text for text in re.findall(r"```yaml\n(.*?)```", guide, re.S) if "target: channel" in text]
    usable = [text for text in curves if "reader:" in text]
    assert len(usable) >= 3
    for text in usable:
        declare(folder, meter_days=text, channel_days=channels)
        assert load("meter_days").leaves == (load("channel_days").takes,)
