-- Of a card that left twice, perhaps: told by the history also if whoever sent it was killed before.

ALTER TABLE cards ADD COLUMN perhaps_twice boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN cards.perhaps_twice IS
    'An attempt before the one that is known may have arrived as well; the channel cannot tell.';
