"""The figures as people look at them: `blocks` (a chart and the table behind it), `charts` (how a chart is drawn) and
`pages` (which blocks stand together). Pages, pictures and reports are made of the same blocks."""
