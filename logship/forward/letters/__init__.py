"""What cannot be stored, or not even read: kept with its reason until somebody replays or drops it."""
