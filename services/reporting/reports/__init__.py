"""The monthly management report: what it says (`document`), and how it looks as PDF, as spreadsheet and as page."""
