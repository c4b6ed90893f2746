"""Where events come from: one module or folder each, behind `logship.forward.port`."""
