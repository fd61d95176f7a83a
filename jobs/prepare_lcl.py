"""Put the published readings of Low Carbon London into landing as deliveries, with bills and complaints generated.

Each block file is one delivery, byte by byte as it was published; daily totals from another copy are the second source
of the sum check. A rerun writes the same files. docs/real-data.md says what is real and what is generated.

    wattlake prepare_lcl --date 2013-12-31 --env lcl --key source=../shared/data/lcl_london_dev
"""

from pathlib import Path

from jobs.province import ProvinceError
from jobs.province.london import write_london
from jobs.runtime.context import Context
from jobs.runtime.errors import UserError

SOURCE = "../shared/data/lcl_london_dev"


def run(ctx: Context) -> str:
    """Write the deliveries of the date; `source`, `weather` (folders), `blocks` (names with commas), `seed`."""
    source = Path(ctx.option("source", SOURCE))
    weather = Path(ctx.option("weather", str(source.parent / "weather_bedford_midas")))
    seed = ctx.option("seed", str(ctx.settings.forecast.seed))
    if not seed.isdigit():
        raise UserError(f"--key seed={seed}: a whole number is needed.")
    try:
        done = write_london(
            ctx.settings.landing.root,
            source,
            weather,
            ctx.date,
            seed=int(seed),
            report=ctx.log.info,
            only_blocks=[name.strip() for name in ctx.option("blocks", "").split(",") if name.strip()],
        )
    except ProvinceError as error:
        raise UserError(str(error)) from None
    rows = done.rows["meter_days"]
    return (
        f"{done.block_files} block files with {rows:,} rows = {done.household_days:,} household-days of "
        f"{done.households} households + {rows - done.household_days:,} repeated; "
        f"{done.rows['register_readings']:,} daily totals ({done.parts_of_days:,} of parts of days left out); "
        f"weather {'yes' if done.has_weather else 'left out'}; "
        f"generated: {done.rows['bills']:,} bills, {done.rows['payments']:,} payments, "
        f"{done.rows['complaints']:,} work orders"
    )
