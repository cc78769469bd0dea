"""The rules of deadlines. Pure: no framework, time is an argument.

`moments`: days and moments on the clocks of a zone. `calendar`: working days and hours of one place. `counting`: how a
limit leads to a deadline. `policy`: what a pack says, and which packs apply. `clock`: what happens to one complaint.
"""
