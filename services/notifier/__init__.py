"""The notifier: sends each approver one card a channel, and settles it."""
