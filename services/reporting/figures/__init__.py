"""The figures, read from the counters: the work does not grow with the number of complaints but of cells that they fall
into. `reading` counts, `measures` makes figures of counts, `catalogue` says in words what each is."""
