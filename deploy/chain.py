"""All jobs of a date in an order in which each finds what it needs, for scripts which run them without Airflow."""

REFERENCE = (
    "ingest_calendar",
    "ingest_tariffs",
    "ingest_class_profiles",
    "ingest_customers",
    "ingest_metering_points",
    "ingest_weather_hours",
)
METER = ("ingest_meter_days", "ingest_register_readings")
BILLING_AND_SERVICE = ("ingest_bills", "ingest_bill_lines", "ingest_payments", "ingest_complaints")
VALIDATION = ("build_meter_profiles", "build_validated_days")
DISTRICTS = ("build_district_days", "build_meter_levels")
FEATURES = (*VALIDATION, "build_customer_days", "build_customer_months", "build_area_loads", *DISTRICTS)
TRAINING = ("train_segments", "train_usage_forecast")
SCORES = (
    "score_segments",
    "score_usage_forecast",
    "publish_customer_tables",
)
WHOLE = (*REFERENCE, *METER, *BILLING_AND_SERVICE, *FEATURES, *TRAINING, *SCORES)


def places(home: str) -> dict[str, str]:
    """Variables by which jobs keep everything below one folder, whatever the environment's files say."""
    return {
        "WATTLAKE_LAKE__ROOT": f"{home}/lake",
        "WATTLAKE_LANDING__ROOT": f"{home}/landing",
        "WATTLAKE_SECRETS__FOLDER": f"{home}/secrets",
        # what is below the folder is made up, and its keys with it
        "WATTLAKE_SECRETS__GENERATE": "true",
        "WATTLAKE_TRACKING__URI": f"sqlite:///{home}/mlflow.db",
        "WATTLAKE_TRACKING__ARTIFACTS": f"{home}/mlartifacts",
        "WATTLAKE_QUALITY__DOCS": f"{home}/docs",
        # the registers of the generated province count by the periods of this tariff
        "WATTLAKE_VALIDATION__REGISTER_TARIFF": "COM-TOU",
    }
