"""Between source and store: redact, parse, and rule on what is stored; and a look at what that would do."""
