"""Where reading stands, kept so that one process, or one of many, can go on from there."""
