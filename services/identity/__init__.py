"""Who somebody is: as an identity provider says it, and as their passkey shows it."""
