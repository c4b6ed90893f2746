"""Reading a Kinesis data stream that subscription filters write to: every shard, parents first, each record once."""
