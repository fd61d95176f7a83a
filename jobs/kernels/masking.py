"""Free text without what tells who it is about: names, phones, addresses and numbers, in Chinese and English.

Two kinds of finds: the values which the row itself holds in its other columns, in whatever spelling, and patterns of
anybody's. Rather too much is masked than too little; a bare name of a third person, without title or label, is not
found. What is masked is replaced by its kind in brackets, so that the text stays readable.
"""

import re
from collections.abc import Callable, Collection, Mapping
from difflib import SequenceMatcher
from functools import lru_cache

import pyarrow as pa

from schemas.feed import FieldType

NAME, PHONE, ADDRESS, NUMBER, EMAIL, CONTACT = "[name]", "[phone]", "[address]", "[number]", "[email]", "[contact]"
PERSONAL = "[personal]"

_HAN = r"\u4e00-\u9fff"
# fullwidth digits, letters and signs as their plain forms
_NARROW = {
    code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0).isalnum() or chr(code) in "＠－＋"
}

_SURNAMES = (
    "欧阳|司马|上官|诸葛|东方|尉迟|皇甫|公孙|慕容|令狐|司徒|夏侯|端木|"
    "[王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚"
    "谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂"
    "丛焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵"
    "解强柴车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵇蒲漆符沙穆佟褚艾肖闫付]"
)
_TITLES = "先生|女士|小姐|太太|师傅|老师|阿姨|大爷|大妈|大叔|大姐|大哥|老板|经理|主任|同志|总"
_LABELS = "我叫|我是|名叫|姓名|户名|户主|联系人|来电人|本人|客户|用户|业主|房东|租户|收件人|经办人"
_NOT_NAMES = (
    "投诉|反映|要求|表示|来电|咨询|报修|家里|停电|用电|电费|电表|缴费|认为|希望|"
    "称|说|想|要|于|在|的|是|已|未|有|对|和|与|从|因|为"
)

# what the name of a place ends with, which a number at the door follows
_PLACE_ENDS = tuple(
    "路 街 大街 道 大道 巷 弄 胡同 村 组 屯 庄 小区 花园 家园 苑 里 坊 大厦 公寓 广场 城 镇 乡".split()  # noqa: SIM905 - legible
)
_COUNT = "[0-9一二三四五六七八九十百千甲乙丙丁A-Za-z]{1,8}"
_UNIT = "号楼|号院|号|栋|幢|座|单元|室|楼|层|弄|户"
_DOOR = re.compile(rf"(?:[第附]?{_COUNT}(?:-{_COUNT}){{0,3}} ?(?:{_UNIT}) ?)+(?:[0-9A-Za-z]{{1,5}}(?![{_HAN}]))?")
_RUN = re.compile(rf"[{_HAN}0-9A-Za-z]{{1,30}}$")
_DISTRICT = re.compile("省|自治区|市|区|县|镇|乡|街道")
_LEAD_IN = re.compile(r"^.*(?:反映|停电|来电|报修|投诉|住在|家住|位于|地址[是为]?|用电点|住址|在|到|于|是|我家|电话)")
# a street's name without what it ends with, and a district's
_LONGEST_STREET, _LONGEST_DISTRICT = 5, 4

_BEFORE, _AFTER = r"(?<![0-9A-Za-z])", r"(?![0-9])"
# the order matters: what is more special comes first
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"), EMAIL),
    (
        re.compile(r"((?:微信|QQ|qq|wechat|WeChat)\s*(?:号码|号)?\s*(?:[是为]|[:：])?\s*)[A-Za-z0-9][-_A-Za-z0-9]{4,}"),
        rf"\g<1>{CONTACT}",
    ),
    (re.compile(rf"{_BEFORE}[1-9][0-9]{{16}}[0-9Xx](?![0-9A-Za-z])"), NUMBER),
    (re.compile(rf"(?<![0-9])[0-9]{{4}}(?:[ -][0-9]{{4}}){{2,}}(?:[ -][0-9]{{1,4}})?{_AFTER}"), NUMBER),
    (re.compile(rf"(?<![0-9])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{{4}}){{2}}{_AFTER}"), PHONE),
    (re.compile(rf"(?<![0-9])[(（]?0[0-9]{{2,3}}[)）]?[ -]?[0-9]{{7,8}}{_AFTER}"), PHONE),
    (re.compile(rf"(?<![0-9])[48]00[ -]?[0-9]{{3,4}}[ -]?[0-9]{{3,4}}{_AFTER}"), PHONE),
    (
        re.compile(
            r"(?<![0-9])(?:\+[0-9]{1,3}|00[0-9]{2})[ -]?(?:\(0\)[ -]?)?[0-9]{2,5}(?:[ -]?[0-9]{2,5}){1,4}(?![0-9])"
        ),
        PHONE,
    ),
    (re.compile(rf"(?<![0-9])0[0-9]{{2,5}}(?:[ -][0-9]{{3,4}}){{1,3}}{_AFTER}"), PHONE),
    (re.compile(r"[0-9]{7,}"), NUMBER),
    (re.compile("[零〇一二三四五六七八九幺两]{7,}"), NUMBER),
    (re.compile(r"(尾号(?:[是为]|[:：])?\s*)[0-9]{3,6}"), rf"\g<1>{NUMBER}"),
)  # fmt: skip
_LATIN_ADDRESSES = (
    re.compile(
        r"\b[0-9]+[A-Za-z]?,?\s+(?:[A-Z][\w'’-]*\s+){1,4}"
        r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Court|Ct|Way|Place|Pl|Terrace|Crescent|Square|Gardens?|Hill|Park|"
        r"Boulevard|Blvd|Mews|Grove|Row)\b\.?"
    ),
    re.compile(r"\b(?:[Ff]lat|[Aa]partment|[Aa]pt\.?|[Uu]nit|[Rr]oom)\s*(?:[0-9]+[A-Za-z]?|[A-Z])\b"),
    re.compile(r"\b[A-Z]{1,2}[0-9][0-9A-Z]?\s*[0-9][A-Z]{2}\b"),
)
_REPEATED_ADDRESS = re.compile(rf"{re.escape(ADDRESS)}(?:[ ,，]*{re.escape(ADDRESS)})+")
_HAN_NAMES = (
    (re.compile(rf"(?:{_SURNAMES})[{_HAN}]{{0,2}}?(?={_TITLES})"), NAME),
    (
        re.compile(rf"((?:{_LABELS})\s*(?:[是为叫]|[:：])?\s*)(?:{_SURNAMES})(?!{_NOT_NAMES})[{_HAN}](?:(?!{_NOT_NAMES})[{_HAN}])?"),
        rf"\g<1>{NAME}",
    ),
    (re.compile(rf"(?<![{_HAN}])[小老阿](?:{_SURNAMES})(?![{_HAN}])"), NAME),
)  # fmt: skip
_LATIN_NAME = r"[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+){0,2}"
_LATIN_NAMES = (
    (re.compile(rf"\b(Mr|Mrs|Ms|Miss|Dr|Sir|Madam)(\.?\s+){_LATIN_NAME}"), rf"\g<1>\g<2>{NAME}"),
    (
        re.compile(rf"\b([Mm]y name is|[Nn]ame is|I am|I'm|[Tt]his is|[Nn]ame:)(\s+){_LATIN_NAME}"),
        rf"\g<1>\g<2>{NAME}",
    ),
)

# what stands alone in a column in which nobody is expected
_BARE_NAMES = re.compile(
    rf"^(?:(?:{_SURNAMES})[{_HAN}]{{1,2}}|[{_HAN}]{{1,8}}[·•][{_HAN}]{{1,8}}"
    rf"|[{_HAN}0-9A-Za-z()（）]{{2,40}}(?:公司|集团|合作社|厂|商店|超市|学校|医院|酒店)"
    r"|(?!(?:No|NO|Not|NOT|None|Null|Unknown|Out)\b)[A-Z][A-Za-z'’-]+(?: [A-Z]\.?)?(?: [A-Z][A-Za-z'’-]+){1,2})$"
)
_BARE_NUMBER = re.compile(r"^[A-Za-z]{1,6}[ -]?[0-9]{5,}$")
# numbers too short for a phone or customer number, and dates however they are divided
_SHORT_NUMBER = re.compile(r"^[+-]?[0-9]{0,6}(?:\.[0-9]*)?(?:[eE]-[0-9]{1,3})?$")
_DATE = re.compile(
    r"^(?:19|20)[0-9]{2}(?:(?P<sign>[-/.])[0-9]{1,2}(?P=sign)[0-9]{1,2}|[01][0-9][0-3][0-9])"
    r"(?:[ T]*[0-9]{1,2}:?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?(?: ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?$"
)
_SHAPES: dict[FieldType, re.Pattern[str]] = {
    **dict.fromkeys(("double", "decimal", "integer", "boolean"), _SHORT_NUMBER),
    **dict.fromkeys(("date", "timestamp"), _DATE),
}

_HAN_SIGN = re.compile(f"[{_HAN}]")
_SURNAME = re.compile(f"^(?:{_SURNAMES})")
_NO_LETTERS = re.compile(r"[^\w'’-]+")
_SEPARATORS = re.compile(r"[\s\-·./()（）]+")
# a shared stretch with the row's own address that is long enough to be no accident
_SHORTEST_HAN, _SHORTEST_WITH_DIGIT, _SHORTEST_LATIN = 4, 6, 9
_SHORTEST_OWN = 2


def mask_text(texts: pa.Array, own: Mapping[str, pa.Array]) -> pa.Array:
    """The texts with personal values replaced; null stays null.

    `own` holds, row for row, the row's own name, phone, address and customer_no, as far as it has them.
    """
    kinds = [kind for kind in _OWN if kind in own]
    values = [own[kind].to_pylist() for kind in kinds]
    masked: list[str | None] = []
    for row, text in enumerate(texts.to_pylist()):
        if text is None:
            masked.append(None)
            continue
        shown = text.translate(_NARROW)
        for kind, column in zip(kinds, values, strict=True):
            if column[row]:
                shown = _OWN[kind](shown, column[row].translate(_NARROW))
        masked.append(_mask_patterns(shown))
    return pa.array(masked, pa.string())


def mask_raw(
    texts: pa.Array, kind: FieldType, codes: Collection[str] = (), own: Mapping[str, pa.Array] | None = None
) -> pa.Array:
    """What is written in a column that is not personal, with personal values which got there replaced.

    A source that shifts its columns writes a name where a number belongs. What looks like the column's type, or is one
    of its `codes`, stays. In the rest is searched for what free text is searched for, and for what may be a name or the
    number of a customer when it stands alone; not so in a string column without codes, where many words look like
    names. `own` as for `mask_text`; its values are looked for under any kind here, as they are shifted too.
    """
    if own:
        return _mask_raw(texts, kind, codes, own)
    # most fields of a curve repeat what others say
    distinct = texts.dictionary_encode()
    return _mask_raw(distinct.dictionary, kind, codes, {}).take(distinct.indices)


def _mask_raw(texts: pa.Array, kind: FieldType, codes: Collection[str], own: Mapping[str, pa.Array]) -> pa.Array:
    shape = _SHAPES.get(kind)
    shown: list[str | None] = texts.to_pylist()
    odd = [
        row
        for row, text in enumerate(shown)
        if text is not None and text not in codes and not (shape and shape.match(text.strip()))
    ]
    own_of_odd = {name: values.take(pa.array(odd, pa.int64())) for name, values in own.items()}
    masked = mask_text(pa.array([shown[row] for row in odd], pa.string()), own_of_odd).to_pylist()
    values_of_odd = [column.to_pylist() for column in own_of_odd.values()]
    for place, (row, text) in enumerate(zip(odd, masked, strict=True)):
        for value in (values[place] for values in values_of_odd):
            if value and len(value) >= _SHORTEST_OWN:
                text = text.replace(value, PERSONAL)
        if shape or codes:
            text = _BARE_NAMES.sub(NAME, _BARE_NUMBER.sub(NUMBER, text.strip()))
        shown[row] = text
    return pa.array(shown, pa.string())


def _mask_patterns(text: str) -> str:
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    text = _mask_han_addresses(text)
    for address in _LATIN_ADDRESSES:
        text = address.sub(ADDRESS, text)
    text = _REPEATED_ADDRESS.sub(ADDRESS, text)
    for pattern, shown in (*_HAN_NAMES, *_LATIN_NAMES):
        text = pattern.sub(shown, text)
    return text


def _mask_han_addresses(text: str) -> str:
    """A number at a door and the place named before it."""
    parts, done = [], 0
    for door in _DOOR.finditer(text):
        place = _RUN.search(text[max(done, door.start() - 31) : door.start()].rstrip())
        if not place or not place.group().endswith(_PLACE_ENDS):
            continue
        begin = text.rindex(place.group(), done, door.start()) + _place_begin(place.group())
        parts += [text[done:begin], ADDRESS]
        done = door.end()
    return "".join([*parts, text[done:]])


def _place_begin(run: str) -> int:
    """Where the place begins in words which no sign divides from those before."""
    lead = _LEAD_IN.match(run)
    if lead and lead.end() < len(run) - 1:
        return lead.end()
    district = _DISTRICT.search(run, 1)
    if district and district.end() < len(run):
        return max(district.start() - _LONGEST_DISTRICT, 0)
    ending = max(len(end) for end in _PLACE_ENDS if run.endswith(end))
    return max(len(run) - ending - _LONGEST_STREET, 0)


# -- the row's own values ---------------------------------------------------------------------------------------------


# A pattern for each row costs more to compile than to search with: it is made only where there is something to find.


def _mask_own_name(text: str, name: str) -> str:
    text = text.replace(name, NAME)
    if _HAN_SIGN.search(name):
        # a person is also called by surname and title, which the patterns find, or by given name
        given = _SURNAME.sub("", name) if len(name) <= 4 else ""
        return text.replace(given, NAME) if len(given) >= 2 else text
    folded = text.casefold()
    parts = [part for part in _NO_LETTERS.split(name) if len(part) >= 3 and part.casefold() in folded]
    if not parts:
        return text
    either = "|".join(map(re.escape, [name, *parts]))
    return re.sub(rf"\b(?:{either})\b", NAME, text, flags=re.IGNORECASE)


def _mask_own_digits(shown: str) -> Callable[[str, str], str]:
    def mask(text: str, number: str) -> str:
        signs = _SEPARATORS.sub("", number)
        if len(signs) < 5:
            return text
        text = text.replace(number, shown)
        if signs.casefold() not in _SEPARATORS.sub("", text).casefold():
            return text
        return re.sub(r"[\s\-·./()（）]*".join(map(re.escape, signs)), shown, text, flags=re.IGNORECASE)

    return mask


def _mask_own_address(text: str, address: str) -> str:
    text = text.replace(address, ADDRESS)
    while True:
        stretch = _shared_stretch(text, address)
        if not stretch:
            return text
        text = text.replace(stretch, ADDRESS)


def _shared_stretch(text: str, address: str) -> str:
    """The longest stretch of the address which the text holds too; empty when it is short enough for an accident."""
    match = SequenceMatcher(None, text, address, autojunk=False).find_longest_match()
    stretch = text[match.a : match.a + match.size].strip(" ,，。.")
    return stretch if len(stretch) >= _shortest(stretch) and stretch not in ADDRESS else ""


@lru_cache(maxsize=1024)
def _shortest(stretch: str) -> int:
    if len(_HAN_SIGN.findall(stretch)) >= _SHORTEST_HAN:
        return _SHORTEST_HAN
    return _SHORTEST_WITH_DIGIT if re.search("[0-9]", stretch) else _SHORTEST_LATIN


_OWN: dict[str, Callable[[str, str], str]] = {
    "address": _mask_own_address,
    "name": _mask_own_name,
    "phone": _mask_own_digits(PHONE),
    "customer_no": _mask_own_digits(NUMBER),
}
