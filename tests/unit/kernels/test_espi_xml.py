import math
import time

import pytest

from jobs.kernels.espi_file import UNSTATED, address
from jobs.kernels.espi_xml import read_espi
from jobs.kernels.files import BadFile

BLOCK = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:IntervalBlock xmlns:x="http://naesb.org/espi">
  <x:interval><x:duration>7200</x:duration><x:start>1330578000</x:start></x:interval>
  <x:IntervalReading>
    <x:cost>974</x:cost>
    <x:ReadingQuality><x:quality>8</x:quality></x:ReadingQuality>
    <x:ReadingQuality><x:quality>7</x:quality></x:ReadingQuality>
    <x:timePeriod><x:duration>3600</x:duration><x:start>1330578000</x:start><!-- 3/1/2012 --></x:timePeriod>
    <x:value> 282 </x:value>
  </x:IntervalReading>
  <x:IntervalReading><x:value/></x:IntervalReading>
</x:IntervalBlock>
"""


def wrong(data: bytes) -> str:
    with pytest.raises(BadFile) as caught:
        read_espi(data, "u.xml")
    return str(caught.value)


def test_a_bare_block_with_prefixes_is_taken_apart() -> None:
    espi = read_espi(BLOCK, "u.xml")
    assert espi.kinds == {"IntervalBlock": 1}
    assert (espi.blocks[0].start, espi.blocks[0].line) == (1330578000, 2)
    assert list(espi.start) == [1330578000, UNSTATED]
    assert list(espi.duration) == [3600, UNSTATED]
    assert espi.value[0] == 282
    assert math.isnan(espi.value[1])
    assert [espi.qualities[n] if n >= 0 else None for n in espi.quality] == [("8", "7"), None]
    assert list(espi.line) == [4, 11]


def test_it_reads_utf_16_and_a_byte_order_mark() -> None:
    text = BLOCK.decode().replace("UTF-8", "UTF-16")
    assert len(read_espi(text.encode("utf-16"), "u.xml").start) == 2
    assert len(read_espi(b"\xef\xbb\xbf" + BLOCK, "u.xml").start) == 2


def test_a_billion_laughs_are_refused_before_the_first_one() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    data = f'<?xml version="1.0"?>\n<!DOCTYPE l [<!ENTITY l0 "ha">{laughs}]>\n<l>&l9;</l>'
    started = time.perf_counter()
    assert wrong(data.encode()).startswith("u.xml, line 2: it declares a document type")
    assert time.perf_counter() - started < 1


def test_an_external_entity_is_never_fetched() -> None:
    data = b'<!DOCTYPE v [<!ENTITY secret SYSTEM "file:///etc/passwd">]>\n<v>&secret;</v>'
    message = wrong(data)
    assert message.startswith("u.xml, line 1: it declares a document type")
    assert "root" not in message
    assert "line 1" in wrong(b'<!DOCTYPE v SYSTEM "http://127.0.0.1:9/v.dtd"><v/>')


def test_what_is_not_well_formed_is_refused_with_its_line() -> None:
    assert wrong(b"") == (
        "u.xml, line 1: the XML is not well-formed (no element found): "
        "the file is empty or cut: deliver it again."
    )  # fmt: skip
    assert "line 12: the XML is not well-formed (no element found)" in wrong(
        BLOCK.removesuffix(b"</x:IntervalBlock>\n")
    )
    assert "line 1: the XML is not well-formed (unbound prefix)" in wrong(b"<ns1:entry></ns1:entry>")
    assert "line 11: the XML is not well-formed (mismatched tag)" in wrong(BLOCK.replace(b"<x:value/>", b"<x:value>"))
    assert "undefined entity" in wrong(BLOCK.replace(b"282", b"&nbsp;282"))
    assert "its encoding is not read" in wrong(BLOCK.replace(b"UTF-8", b"GB18030"))


def test_hostile_shapes_are_refused() -> None:
    assert "deep in each other" in wrong(b"<a>" * 1000)
    assert "longer than 1024 KiB" in wrong(b"<a><!--" + b"-x" * 2_000_000 + b"--></a>")
    many = b"<x:value>" + b"&#49;" * 100_000 + b"</x:value>"
    espi = read_espi(BLOCK.replace(b"<x:value/>", many), "u.xml")
    assert len(espi.bad_values[1]) <= 64


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"<x:start>1330578000</x:start><!--", b"<x:start>1_330</x:start><!--", "line 8: the start is no whole number"),
        (b"<x:duration>3600", b"<x:duration>-3600", "line 8: the duration is no whole number"),
        (b" 282 ", b"2<x:b/>82", "line 9: an element stands inside a number"),
        (b"x:IntervalBlock", b"x:MeterReading", "line 4: an interval reading stands outside an interval block"),
    ],
)
def test_what_breaks_a_reading_is_refused(old: bytes, new: bytes, problem: str) -> None:
    assert problem in wrong(BLOCK.replace(old, new))


def test_a_value_that_is_no_number_is_kept_as_text() -> None:
    espi = read_espi(BLOCK.replace(b" 282 ", b"28,2").replace(b"<x:value/>", b"<x:value>-0.5</x:value>"), "u.xml")
    assert espi.bad_values == {0: "28,2"}
    assert espi.value[1] == -0.5


def test_addresses_of_one_resource_are_alike() -> None:
    ours = "Subscription/5/UsagePoint/1"
    assert address("https://a.org//DataCustodian/espi/1_1/resource/Subscription/5//UsagePoint/1/") == ours
    assert address("/espi/1_1/resource/Subscription/5/UsagePoint/1?published-max=2") == ours
    assert address(" Subscription/5/UsagePoint/1 ") == ours
