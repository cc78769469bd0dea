"""A package, so that its tests may share a cluster and nobody else has it beside them."""
