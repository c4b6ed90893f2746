"""Reading log groups by FilterLogEvents: complete, in the shares of a quota, and each event once."""
