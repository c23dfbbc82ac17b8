"""`placet up`: the whole product on one machine, on a Postgres and a broker of its own."""
