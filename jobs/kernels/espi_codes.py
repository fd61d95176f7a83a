"""What the codes of a Green Button file mean (NAESB ESPI, the lists of espi.xsd): reading types and quality."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.quality_codes import EDITED, ESTIMATED_BY_SOURCE, MEASURED, MISSING

# QualityOfReading. What may be no metered value is an estimate here: derived (11), projected (12), mixed (13),
# normalised for weather (15), other (16), and 17, "validated and possibly edited and/or estimated". What failed a check
# (10), was not checked (14) or stood in spite of one (18) was metered all the same.
_QUALITY = {
    "0": MEASURED,
    "7": EDITED,
    "8": ESTIMATED_BY_SOURCE,
    "9": ESTIMATED_BY_SOURCE,
    "10": MEASURED,
    "11": ESTIMATED_BY_SOURCE,
    "12": ESTIMATED_BY_SOURCE,
    "13": ESTIMATED_BY_SOURCE,
    "14": MEASURED,
    "15": ESTIMATED_BY_SOURCE,
    "16": ESTIMATED_BY_SOURCE,
    "17": ESTIMATED_BY_SOURCE,
    "18": MEASURED,
    "19": MEASURED,
}

# a quality which is none of the standard
UNKNOWN = -1

# UnitSymbolKind: what electricity, gas, water and heat are metered in
_UNITS = {
    "5": "A",
    "29": "V",
    "31": "J",
    "33": "Hz",
    "38": "W",
    "42": "m³",
    "61": "VA",
    "63": "var",
    "65": "power factor",
    "71": "VAh",
    "72": "Wh",
    "73": "varh",
    "80": "currency",
    "106": "Ah",
    "119": "ft³",
    "120": "ft³",
    "125": "m³/h",
    "128": "US gal",
    "130": "imperial gal",
    "132": "BTU",
    "134": "L",
    "166": "m³",
    "167": "m³",
    "169": "therm",
}
# unit: is it reactive, is it power
_ENERGY = {"Wh": (False, False), "W": (False, True), "varh": (True, False), "var": (True, True)}

# CommodityKind and ServiceKind
_ELECTRIC = frozenset({"1", "2", "26"})
_COMMODITIES = {
    "3": "communication",
    "4": "air",
    "7": "natural gas",
    "8": "propane",
    "9": "water",
    "10": "steam",
    "11": "waste water",
    "12": "heating fluid",
    "13": "cooling fluid",
    "14": "reclaimed water",
}
_SERVICES = {"1": "gas", "2": "water", "4": "heat", "6": "sewerage"}

# FlowDirectionKind: forward, reverse, |forward| - |reverse|, |forward| + |reverse|, and the sums of two quadrants which
# are active or reactive energy drawn or fed in
_ACTIVE = {"1": "import", "8": "import", "19": "export", "10": "export", "4": "net", "20": "total"}
_REACTIVE = {"1": "reactive_import", "5": "reactive_import", "19": "reactive_export", "13": "reactive_export"}
OTHER = "other"

# AccumulationKind and DataQualifierKind of values which are no energy of their interval, nor its average power
_NOT_OF_INTERVAL = {
    "1": "register readings",
    "2": "cumulative values",
    "3": "cumulative values",
    "9": "summations",
    "10": "time-delayed values",
    "12": "instantaneous values",
    "13": "latched values",
    "14": "bounded values",
}
_OF_INTERVAL = frozenset({"0", "2", "12"})
_POWER_OF_TEN = re.compile(r"-?[0-9]{1,2}", re.ASCII)
_LARGEST_POWER = 12
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True)
class Meaning:
    """What the readings of a reading type are. Alike but for power_of_ten, interval and quality: one curve.

    left_out: why they are no curve of electric energy, None where they are.
    """

    unit: str
    is_power: bool
    direction: str | None
    # import, export, net, total, reactive_import, reactive_export, other; None where no direction is said
    channel: str | None
    phase: str | None
    # what is written x 10 to this is in Wh, W, varh or var
    power_of_ten: int
    # seconds, for readings which do not say
    interval: int | None
    # for readings which have none
    quality: str | None
    left_out: str | None


def meaning(fields: Mapping[str, str], service: str | None) -> Meaning:
    """Of a reading type with these fields, at a usage point of this service. ValueError with what is wrong with it."""
    if not fields.get("uom"):
        raise ValueError("the reading type names no unit (uom)")
    for name, text in fields.items():
        shape = _POWER_OF_TEN if name == "powerOfTenMultiplier" else _NUMBER
        if text and name != "tzOffset" and not shape.fullmatch(text):
            raise ValueError(f"{name} of the reading type is no number")
    unit = _UNITS.get(_code(fields, "uom") or "")
    if unit is None:
        raise ValueError(f"the unit (uom) {fields['uom']} of the reading type is none that is known here")
    power_of_ten = int(fields.get("powerOfTenMultiplier") or 0)
    if abs(power_of_ten) > _LARGEST_POWER:
        raise ValueError("powerOfTenMultiplier of the reading type is beyond 12")
    is_reactive, is_power = _ENERGY.get(unit, (False, False))
    direction = _code(fields, "flowDirection")
    direction = None if direction == "0" else direction
    channel = (_REACTIVE if is_reactive else _ACTIVE).get(direction or "", OTHER)
    interval = int(fields.get("intervalLength") or 0)
    return Meaning(
        unit=unit,
        is_power=is_power,
        direction=direction,
        channel=None if direction is None and not is_reactive else channel,
        phase=_code(fields, "phase"),
        power_of_ten=power_of_ten,
        interval=interval or None,
        quality=_code(fields, "defaultQuality"),
        left_out=_left_out(fields, unit, service),
    )


def _left_out(fields: Mapping[str, str], unit: str, service: str | None) -> str | None:
    commodity = not_electricity(service, _code(fields, "commodity"))
    if commodity:
        return f"{commodity} in {unit}"
    if unit not in _ENERGY:
        return f"electricity in {unit}"
    accumulation = _NOT_OF_INTERVAL.get(_code(fields, "accumulationBehaviour") or "")
    if accumulation:
        return f"{accumulation} in {unit}"
    qualifier = _code(fields, "dataQualifier") or "0"
    return None if qualifier in _OF_INTERVAL else f"values in {unit} with dataQualifier {qualifier}"


def not_electricity(service: str | None, commodity: str | None = None) -> str | None:
    """What is metered if not electricity; a reading type that does not say is of the service of its usage point."""
    if commodity in _ELECTRIC:
        return None
    if commodity in {None, "0"}:
        return None if service in {None, "0"} else _SERVICES.get(str(service), "another service")
    return _COMMODITIES.get(str(commodity), f"commodity {commodity}")


def quality_of(codes: Iterable[str], own: Mapping[str, int]) -> int:
    """Our code for those of one reading; `own` holds before the standard. UNKNOWN for what is in neither.

    Of several a person's change stands above an estimate, and that above a metered value.
    """
    ours = {own.get(code, _QUALITY.get(code, UNKNOWN)) for code in codes}
    return min(ours) if ours & {UNKNOWN, MISSING} else max(ours)


def _code(fields: Mapping[str, str], name: str) -> str | None:
    """Without zeros in front; None where nothing is written."""
    text = fields.get(name)
    return str(int(text)) if text else None
