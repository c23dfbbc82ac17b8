"""The processes of Placet: each folder one job, wired in `bootstrap` alone."""
