"""The rules of deadlines. Pure: no framework, time is an argument.

`policy`: what a pack says, which pack applies, and how a limit is counted. `clock`: what happens to one complaint.
"""
