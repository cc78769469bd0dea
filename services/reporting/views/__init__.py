"""The figures as people look at them: `block` (a chart and the table behind it), `charts` (how a chart is drawn),
`pages` (which blocks stand together), and the blocks themselves by what they show. Reports are made of the same."""
