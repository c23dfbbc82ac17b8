-- For an administrator, where the database user of Placet may not create roles itself:
--   psql --dbname placet --variable owner=placet --file deploy/roles.sql
CREATE ROLE placet_app NOLOGIN;
CREATE ROLE placet_worker NOLOGIN;
GRANT placet_app, placet_worker TO :"owner" WITH ADMIN OPTION;
