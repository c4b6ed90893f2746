"""The command line: one file a command group. `output` owns stdout, `diagnostics` owns stderr and exit codes."""
