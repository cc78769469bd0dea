"""The health of all services on one page, for whoever runs the desk: what is up and why not, since when, what is kept
waiting, what to do. For the one-process desk and for the cluster.

It asks each service's `/health/ready` and `/metrics`, in the same process or over HTTP, and keeps what it has seen in
memory alone: it must work when nothing else does.
"""
