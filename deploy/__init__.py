"""How Redress runs: the one-process desk, the cluster on one machine, and the tools of those who operate it.

Only this package knows all four services.
"""
