"""The queue service: answers what waits for whom, and shows it."""
