"""The calendar: which days of a year are worked."""
