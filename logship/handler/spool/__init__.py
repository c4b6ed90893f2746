"""The queue's files: what `emit` has returned for survives the end of the process, and is sent by the next one."""
