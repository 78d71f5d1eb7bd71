"""Parts that are no panes: the bars, and what lies over the panes for a moment."""
