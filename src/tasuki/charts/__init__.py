"""Charts: plain values in, Vega-Lite specifications as plain dicts out; `draw` alone turns one into SVG, offline."""
