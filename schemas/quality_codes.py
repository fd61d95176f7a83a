"""Quality of an interval, one byte each, carried from the meter to every table that holds curves."""

MISSING = 0
MEASURED = 1
ESTIMATED_BY_SOURCE = 2
EDITED = 9

MEANING = {
    MISSING: "no value",
    MEASURED: "measured by the meter",
    ESTIMATED_BY_SOURCE: "estimated by the source system before delivery",
    EDITED: "entered or changed by a person, with user and reason",
}

# what a feed maps its source's codes to
NAMES = {"missing": MISSING, "measured": MEASURED, "estimated": ESTIMATED_BY_SOURCE, "edited": EDITED}
