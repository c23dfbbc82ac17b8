"""The pages for administrators: how sources, channels and webhooks fare, people, keys, figures."""
