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

LISTED = ", ".join(f"{code} {meaning}" for code, meaning in MEANING.items())
