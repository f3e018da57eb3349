"""The read side: snapshots and live streams, with their age. Changes nothing anywhere."""
