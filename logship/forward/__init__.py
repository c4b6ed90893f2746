"""Events from where they lie into the store: polled log groups, and files."""
