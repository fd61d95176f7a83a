from time import process_time

import pyarrow as pa
import pytest

from jobs.kernels.masking import mask_raw, mask_text
from schemas.feed import FieldType


def mask(text: str, **own: str) -> str:
    return mask_text(pa.array([text]), {kind: pa.array([value]) for kind, value in own.items()})[0].as_py()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("请回电13812345678谢谢", "请回电[phone]谢谢"),
        ("电话138-1234-5678", "电话[phone]"),
        ("电话 +86 138 1234 5678。", "电话 [phone]。"),
        ("电话１３８１２３４５６７８", "电话[phone]"),
        ("座机0571-87654321或(0571)87654321", "座机[phone]或[phone]"),
        ("call 020 7946 0958 or +44 7700 900123", "call [phone] or [phone]"),
        ("身份证11010519491231002X", "身份证[number]"),
        ("户号3201234567", "户号[number]"),
        ("卡号6222 0210 0100 1234 567", "卡号[number]"),
        ("手机尾号5678", "手机尾号[number]"),
        ("号码是幺三八零零一二三四五六", "号码是[number]"),
        ("邮箱 zhang.wei@example.com.cn", "邮箱 [email]"),
        ("微信号：zhangwei_88", "微信号：[contact]"),
    ],
)
def test_numbers_and_addresses_of_the_net_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("张先生来电反映停电", "[name]先生来电反映停电"),
        ("用户李小红女士投诉", "用户[name]女士投诉"),
        ("欧阳老师要求回复", "[name]老师要求回复"),
        ("联系人：王建国，要求回复", "联系人：[name]，要求回复"),
        ("我叫陈静，家里停电", "我叫[name]，家里停电"),
        ("Mr. John Smith called", "Mr. [name] called"),
        ("my name is Jane Doe and the power is off", "my name is [name] and the power is off"),
    ],
)
def test_names_with_a_title_or_label_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("家住中山路12号3单元501室，停电", "家住[address]，停电"),
        ("地址：杭州市西湖区文三路 478 号华星大厦2幢1203室", "地址：[address]"),
        ("阳光花园3栋2单元停电", "[address]停电"),
        ("张先生反映中山路12号附近停电", "[name]先生反映[address]附近停电"),
        ("昨晚在江东市城东区建设大街7号楼前", "昨晚在[address]前"),
        ("I live at 221B Baker Street, flat 4, NW1 6XE", "I live at [address]"),
    ],
)
def test_addresses_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "own", "masked"),
    [
        ("张晓伟反映电费高，晓伟要求回复", {"name": "张晓伟"}, "[name]反映电费高，[name]要求回复"),
        ("杭州某某有限公司停产", {"name": "杭州某某有限公司"}, "[name]停产"),
        ("SMITH complained, john too", {"name": "John Smith"}, "[name] complained, [name] too"),
        ("回电 8765-4321", {"phone": "87654321"}, "回电 [phone]"),
        ("户号 32 0123 4", {"customer_no": "3201234"}, "户号 [number]"),
        ("户号 DE-0012", {"customer_no": "DE0012"}, "户号 [number]"),
        ("阳光花园小区门口停电", {"address": "江东市城东区阳光花园3栋501"}, "[address]小区门口停电"),
        ("power is off at the Old Mill House", {"address": "Old Mill House, Ely"}, "power is off at the [address]"),
    ],
)
def test_the_own_values_of_a_row_are_masked_in_other_spellings_too(text: str, own: dict[str, str], masked: str) -> None:
    assert mask(text, **own) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2025年6月30日20点30分开始停电，电费比上月多了35.6元",
        "2025-06-30 10:00 停电，电压380V，电量1234.5kWh",
        "台区编号12停电，变压器有异响，3号线路跳闸",
        "The bill of 2025-06 is 12 % higher than last year; please check meter 3",
        "客户要求尽快处理，希望回复",
        "营业厅2号窗口排队时间长",
    ],
)
def test_what_tells_nothing_of_a_person_stays(text: str) -> None:
    assert mask(text) == text


# -- values which are not where they belong ---------------------------------------------------------------------------


def raw(text: str, kind: FieldType, *codes: str, **own: str) -> str:
    return mask_raw(pa.array([text]), kind, codes, {kind: pa.array([value]) for kind, value in own.items()})[0].as_py()


@pytest.mark.parametrize("kind", ["double", "decimal", "integer", "boolean", "date", "timestamp"])
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("张晓伟", "[name]"),
        (" 欧阳晓东 ", "[name]"),
        ("阿里木·买买提", "[name]"),
        ("John A. Smith", "[name]"),
        ("江东市宏远化工有限公司", "[name]"),
        ("13812345678", "[phone]"),
        ("138 1234 5678", "[phone]"),
        ("0571-87654321", "[phone]"),
        ("13812345678.0", "[phone].0"),
        ("87654321", "[number]"),
        ("3201234567", "[number]"),
        ("11010519491231002X", "[number]"),
        ("MAC000002", "[number]"),
        ("江东市城东区建设路12号3栋2单元501室", "[address]"),
        ("zhang.wei@example.com", "[email]"),
    ],
)
def test_a_person_in_a_column_of_numbers_or_dates_is_masked(kind: FieldType, text: str, masked: str) -> None:
    assert raw(text, kind) == masked


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("double", text) for text in ("--", "N/A", "nan", "12,5", "1,234.5", "1.5x", "0.123456789", "-12.5", "")),
        *(("integer", text) for text in ("5.5", "很好", "Not Available", "1e-5")),
        *(("date", text) for text in ("2025-05-32", "20250631", "2025/6/31", "2025-06-31 24:00:00", "45838")),
        *(("timestamp", text) for text in ("10 o'clock", "2025-06-31T08:00:00.1234567+08:00", "20250631 0800")),
    ],
)
def test_what_shows_why_a_value_could_not_be_read_stays(kind: FieldType, text: str) -> None:
    assert raw(text, kind) == text


def test_a_code_stays_when_it_is_declared_and_is_masked_when_it_may_be_a_name() -> None:
    assert raw("高价", "string", "正常", "高价") == "高价"
    assert raw("作废", "string", "正常", "高价") == "作废"
    assert raw("高伟", "string", "正常", "高价") == "[name]"


def test_text_of_a_string_column_is_free_text() -> None:
    assert raw("常州", "string") == "常州"
    assert raw("张先生13812345678", "string") == "[name]先生[phone]"


def test_the_own_values_of_a_row_are_found_under_another_kind_too() -> None:
    # a shifted row: the name stands where the customer number belongs
    assert raw("停电, 联系乌日娜", "integer", customer_no="乌日娜", name="13812345678") == "停电, 联系[personal]"


def test_null_stays_null_and_rows_stay_apart() -> None:
    texts, names = pa.array([None, "5", "乌日娜", "乌日娜"]), pa.array(["乌日娜", None, "乌日娜", None])
    assert mask_raw(texts, "integer", (), {"name": names}).to_pylist() == [None, "5", "[name]", "乌日娜"]
    assert mask_raw(pa.array([None, None], pa.string()), "integer").to_pylist() == [None, None]
    assert mask_raw(pa.array([], pa.string()), "integer").to_pylist() == []


@pytest.mark.parametrize(
    "text", ["街道路" * 3000, "中山路1号" * 2000, "1-" * 4000, "A1 " * 3000, "a" * 9000, "+86 1" * 2000]
)
def test_no_text_takes_long(text: str) -> None:
    began = process_time()
    mask(text, name="张晓伟", phone="13812345678")
    raw(text, "double", name="张晓伟", phone="13812345678")
    assert process_time() - began < 1


def test_each_row_is_masked_by_its_own_values_and_null_stays_null() -> None:
    texts = pa.array(["李娜和王芳", "李娜和王芳", None])
    own = {"name": pa.array(["李娜", "王芳", "李娜"]), "phone": pa.nulls(3, pa.string())}
    masked = mask_text(texts, own)
    assert masked.to_pylist() == ["[name]和王芳", "李娜和[name]", None]
