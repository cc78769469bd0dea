"""The calendars that deadlines are counted with: data, the `holidays` library, and the bank's own corrections."""

from services.sla.calendars.building import CalendarError, as_dict, load, of

__all__ = ["CalendarError", "as_dict", "load", "of"]
