"""Reference feeds: calendar and weather."""

from datetime import date

from jobs.province import calendar_days
from jobs.province.weather import PREFECTURES, day_weather

CALENDAR_HEADER = ("日期", "是否节假日", "是否调休上班", "节日名称", "季节")
WEATHER_HEADER = ("地市", "时间", "气温(℃)", "湿度(%)", "降水(mm)", "风速(m/s)")
_SEASON_WORDS = {"summer": "夏季", "winter": "冬季", "other": "其他"}


def calendar_rows(first: int, last: int) -> list[tuple[object, ...]]:
    """A row a date of the span of ordinals."""
    rows: list[tuple[object, ...]] = []
    for ordinal in range(first, last + 1):
        day = date.fromordinal(ordinal)
        holiday = calendar_days.holiday_name(day)
        working = calendar_days.is_working_weekend(day)
        rows.append(
            (
                day.isoformat(),
                int(holiday is not None),
                int(working),
                holiday,
                _SEASON_WORDS[calendar_days.season(day)],
            )
        )
    return rows


def weather_rows(seed: int, first: int, last: int) -> list[tuple[object, ...]]:
    """A row a prefecture and hour."""
    rows: list[tuple[object, ...]] = []
    for ordinal in range(first, last + 1):
        day = date.fromordinal(ordinal)
        for place, (name, _) in enumerate(PREFECTURES):
            weather = day_weather(seed, place, day)
            columns = [
                weather[key].tolist() for key in ("temperature_c", "humidity_pct", "precipitation_mm", "wind_m_s")
            ]
            rows += [
                (name, f"{day.isoformat()} {hour:02d}:00", *values)
                for hour, values in enumerate(zip(*columns, strict=True))
            ]
    return rows
