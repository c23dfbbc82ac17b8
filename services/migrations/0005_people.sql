-- Who is there beside the people that placet.yaml names: their groups, their managers, and who
-- answers for whom while somebody is away.

CREATE TABLE directories (
    workspace text PRIMARY KEY,
    change bigint NOT NULL,
    people integer NOT NULL
);
COMMENT ON TABLE directories IS
    'One row a workspace with people or delegations. Whoever changes either counts up first, and '
    'so holds the row until done: changes become visible in the order of their numbers.';

CREATE TABLE people (
    workspace text NOT NULL,
    person_id text COLLATE "C" NOT NULL,
    email text COLLATE "C" NOT NULL,
    name text,
    active boolean NOT NULL,
    roles text[] NOT NULL,
    manager text COLLATE "C",
    time_zone text,
    channels text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('csv', 'scim')),
    user_name text,
    external_id text,
    document text,
    removed boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    change bigint NOT NULL,
    PRIMARY KEY (workspace, person_id)
);
COMMENT ON TABLE people IS 'Nobody is deleted: who is removed stays, not active, and is routed around.';
COMMENT ON COLUMN people.channels IS 'JSON: the address on each channel, by its name.';
COMMENT ON COLUMN people.document IS 'JSON: the attributes that SCIM set, as they came.';
COMMENT ON COLUMN people.removed IS 'No longer there for SCIM.';
COMMENT ON COLUMN people.change IS 'The change of the directory that touched the person last.';
CREATE UNIQUE INDEX people_email_idx ON people (workspace, email);
CREATE UNIQUE INDEX people_user_name_idx ON people (workspace, lower(user_name))
    WHERE user_name IS NOT NULL AND NOT removed;
CREATE INDEX people_external_id_idx ON people (workspace, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX people_change_idx ON people (workspace, change);
CREATE INDEX people_manager_idx ON people (workspace, manager) WHERE manager IS NOT NULL;

CREATE TABLE people_groups (
    workspace text NOT NULL,
    group_id text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    name text NOT NULL,
    external_id text,
    origin text NOT NULL CHECK (origin IN ('csv', 'scim')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, group_id),
    UNIQUE (workspace, label)
);
COMMENT ON COLUMN people_groups.label IS 'The name as it is compared, and as policies know it.';

CREATE TABLE people_group_members (
    workspace text NOT NULL,
    group_id text COLLATE "C" NOT NULL,
    person_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, group_id, person_id),
    FOREIGN KEY (workspace, group_id) REFERENCES people_groups ON DELETE CASCADE,
    FOREIGN KEY (workspace, person_id) REFERENCES people ON DELETE CASCADE
);
CREATE INDEX people_group_members_person_idx ON people_group_members (workspace, person_id);

CREATE TABLE delegations (
    workspace text NOT NULL,
    delegation_id text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    delegate text COLLATE "C" NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    reason text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_by text,
    ended_at timestamptz,
    PRIMARY KEY (workspace, delegation_id),
    CHECK (person <> delegate),
    CHECK (begins < ends)
);
COMMENT ON TABLE delegations IS 'Who answers for whom, from when up to when; ended_at is an earlier end.';
CREATE INDEX delegations_open_idx ON delegations (workspace, ends) WHERE ended_at IS NULL;

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY[
    'directories', 'people', 'people_groups', 'people_group_members', 'delegations'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON
    directories, people, people_groups, people_group_members, delegations
    TO placet_app;
GRANT DELETE ON people_groups, people_group_members TO placet_app;
GRANT SELECT ON directories, people, people_groups, people_group_members, delegations
    TO placet_worker;

-- Who says who may decide could as well decide: an agent's key does neither.
ALTER TABLE api_keys DROP CONSTRAINT api_keys_agents_do_not_decide;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_agents_do_not_decide
    CHECK (NOT (agent AND scopes && ARRAY['approvals:decide', 'people:manage', 'admin']));
