"""The CloudWatch Agent: its options, what it does with them, and what is wrong with a config for it."""
