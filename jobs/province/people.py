"""Names, phone numbers and addresses: invented, and only ever for the few customers a file needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jobs.province.draws import Ints, draw
from jobs.province.population import CHUNK, COMMERCE, COUNTIES, FARM, HOUSEHOLD, INDUSTRY, Chunk
from jobs.province.weather import PREFECTURES

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
    "于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷"
    "龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰红建国志文海燕春梅秀云鹏辉宇浩"
    "然子轩梓涵欣怡雨桐思远嘉诚晓东立新永福德胜佳琪雪峰振东丹凤小龙慧玲"
)
_STREETS = ("建设路", "人民路", "解放街", "滨河大道", "学府路", "新华街", "迎宾大道", "和平路", "工业大道", "文化路")
_BRANDS = ("宏远", "鑫达", "恒泰", "华盛", "金海", "瑞丰", "永兴", "中汇", "天成", "东升", "汇通", "凯越")
_TRADES = {
    INDUSTRY: ("化工", "钢铁制品", "水泥制造", "纺织", "机械制造", "电子元件", "食品加工", "造纸", "汽车零部件"),
    COMMERCE: ("餐饮", "零售", "酒店住宿", "办公楼宇", "物流仓储", "医疗", "教育培训", "休闲娱乐"),
    FARM: ("种植", "畜牧养殖", "农田灌溉", "水产养殖"),
    HOUSEHOLD: ("居民生活",),
}
CHANNEL_PREFERENCES = ("网上国网", "微信", "短信", "95598", "营业厅")


@dataclass(frozen=True)
class People:
    """Identities of a chunk. All arrays are drawn once; a name is put together only when it is asked for."""

    chunk: Chunk

    @cached_property
    def _luck(self) -> Ints:
        draws = draw(self.chunk.seed, "people", self.chunk.index).integers(0, 1_000_000_000, (CHUNK, 8))
        return np.asarray(draws, dtype=np.int64)

    def industry(self, row: int) -> str:
        """Industry as billing names it."""
        trades = _TRADES[int(self.chunk.customers.usage_class[row])]
        return trades[int(self._luck[row, 0]) % len(trades)]

    def name(self, row: int) -> str:
        """Name of the customer: a person, or a firm or farm."""
        usage = int(self.chunk.customers.usage_class[row])
        if usage == HOUSEHOLD:
            return self.person(row)
        place = PREFECTURES[int(self.chunk.customers.prefecture[row])][0]
        brand = _BRANDS[int(self._luck[row, 1]) % len(_BRANDS)]
        ending = {INDUSTRY: "有限公司", COMMERCE: "商贸有限公司", FARM: "农民专业合作社"}[usage]
        return f"{place}{brand}{self.industry(row)}{ending}"

    def person(self, row: int) -> str:
        """The person who lives there, or answers the phone."""
        first, second = int(self._luck[row, 2]), int(self._luck[row, 3])
        given = _GIVEN[first % len(_GIVEN)] + (_GIVEN[second % len(_GIVEN)] if second % 10 < 8 else "")
        return _SURNAMES[first // 1000 % len(_SURNAMES)] + given

    def phone(self, row: int, changes: int = 0) -> str:
        """Mobile number, after a number of changes."""
        number = int(self._luck[row, 4]) + changes * 99_999_989
        return f"1{3 + number // 7 % 7}{number % 1_000_000_000:09d}"

    def address(self, row: int) -> str:
        """Address of supply."""
        luck = self._luck[row]
        prefecture, county = COUNTIES[int(self.chunk.customers.county[row])]
        street = _STREETS[int(luck[5]) % len(_STREETS)]
        place = f"{PREFECTURES[prefecture][0]}{county}{street}{int(luck[6]) % 300 + 1}号"
        if int(self.chunk.customers.usage_class[row]) != HOUSEHOLD:
            return place
        tower, unit, flat = int(luck[5]) // 10 % 20 + 1, int(luck[6]) // 300 % 4 + 1, int(luck[7]) % 24
        return f"{place}{tower}栋{unit}单元{flat // 2 + 1}0{flat % 2 + 1}室"

    def channel(self, row: int) -> str:
        """Channel by which the customer wants to be reached."""
        return CHANNEL_PREFERENCES[int(self._luck[row, 7]) // 24 % len(CHANNEL_PREFERENCES)]

    def has_consent(self, row: int) -> bool:
        """Whether the customer agreed to be addressed with offers."""
        return int(self._luck[row, 7]) // 120 % 10 < 6
