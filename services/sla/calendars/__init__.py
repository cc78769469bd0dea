"""The working calendars: holidays, make-up workdays and working hours of each place.

`calendars.toml` says which holidays of the `holidays` library hold where; a bank changes single days, hours and the
confirmed end in a file of its own. `load` gives them as `services.sla.domain.calendar.Calendar`.
"""

from services.sla.calendars.loader import CalendarError, load

__all__ = ["CalendarError", "load"]
