"""The generated demonstration province: what its source systems deliver, with known truth and known faults."""

from jobs.province.faults import DEFAULT_FAULTS, FAULT_CLASSES
from jobs.province.profiles import ProvinceError
from jobs.province.province import Summary, write_deliveries

__all__ = ["DEFAULT_FAULTS", "FAULT_CLASSES", "ProvinceError", "Summary", "write_deliveries"]
