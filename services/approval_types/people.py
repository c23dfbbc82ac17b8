"""The people that `placet.yaml` names, and their roles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from events.approval import Person


@dataclass(frozen=True, slots=True)
class People:
    """Who there is, by address in lower case, and the roles of each."""

    names: Mapping[str, Person] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def with_role(self, role: str) -> tuple[Person, ...]:
        """Return everybody who has a role, in the order of the file."""
        return tuple(
            person for email, person in self.names.items() if role in self.roles.get(email, ())
        )

    def has_one_of(self, email: str, roles: tuple[str, ...]) -> bool:
        """Tell whether somebody has at least one of some roles."""
        return not self.roles.get(email, frozenset()).isdisjoint(roles)

    def known(self, person: Person) -> Person:
        """Return somebody with the name that stands in the file, if none was given."""
        return self.names.get(person.email, person) if person.name is None else person
