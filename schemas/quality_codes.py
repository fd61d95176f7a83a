"""Quality of an interval, one byte each, carried from the meter to every table that holds curves."""

MISSING = 0
MEASURED = 1
ESTIMATED_BY_SOURCE = 2
LINEAR = 3
LINEAR_SCALED = 4
OWN_PROFILE = 5
OWN_PROFILE_SCALED = 6
CLASS_PROFILE = 7
CLASS_PROFILE_SCALED = 8
EDITED = 9
MENDED = 10
SPREAD = 11

# an estimate by a method, and by the same method with the day adding up to the meter's registers
SCALED = {
    LINEAR: LINEAR_SCALED,
    OWN_PROFILE: OWN_PROFILE_SCALED,
    CLASS_PROFILE: CLASS_PROFILE_SCALED,
}

MEANING = {
    MISSING: "no value",
    MEASURED: "measured by the meter",
    ESTIMATED_BY_SOURCE: "estimated by the source system before delivery",
    LINEAR: "estimated here: a straight line between the values around the gap",
    LINEAR_SCALED: "estimated here: a straight line, scaled so that the day adds up to the registers",
    OWN_PROFILE: "estimated here: the meter's own profile of 28 days, at the level of the values around the gap",
    OWN_PROFILE_SCALED: "estimated here: the meter's own profile, scaled so that the day adds up to the registers",
    CLASS_PROFILE: "estimated here: the profile of the customer's usage class at the level of the meter",
    CLASS_PROFILE_SCALED: "estimated here: the class profile, scaled so that the day adds up to the registers",
    EDITED: "entered or changed by a person, with user and reason",
    MENDED: "measured, and turned from power into energy here, as the registers show that it was sent in kW",
    SPREAD: "estimated here: the measured energy of a longer interval, spread over these like the meter's own profile",
}

# what a feed maps its source's codes to
NAMES = {"missing": MISSING, "measured": MEASURED, "estimated": ESTIMATED_BY_SOURCE, "edited": EDITED}

LISTED = ", ".join(f"{code} {meaning}" for code, meaning in MEANING.items())
