"""The reports that a new data file starts with: the same each time, dated back from the start."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from acme_expenses.drafts import APPROVERS, SUBMITTERS, Settlement
from acme_expenses.money import to_cents
from acme_expenses.records import LineItem, Note, Report, Status
from acme_expenses.writer import Writer

Line = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Seed:
    """One report; people are named by the part of their address before the @."""

    minutes_ago: int
    submitter: str
    approver: str
    currency: str
    description: str
    lines: tuple[Line, ...]
    id: str | None = None
    settled: Settlement | None = None
    note: str | None = None


MEALS, TRAVEL, LODGING = "Meals & Entertainment", "Travel", "Lodging"
SOFTWARE, SUPPLIES, EQUIPMENT = "Software", "Office Supplies", "Equipment"
TRAINING, TELECOM, MARKETING, OTHER = "Training", "Telecom", "Marketing", "Other"

_HOUR, _DAY = 60, 24 * 60

SEEDS: tuple[Seed, ...] = (
    Seed(
        42,
        "jane.doe",
        "john.smith",
        "USD",
        "Client dinner and travel for Q3 sales meeting.",
        (
            ("Client Dinner at The Grand Restaurant", MEALS, "250.00"),
            ("Round-trip flight to NYC", TRAVEL, "450.50"),
            ("Taxi from JFK to Hotel", TRAVEL, "50.00"),
        ),
        id="EXP-2025-09-15-001",
    ),
    Seed(
        7,
        "siobhan.oneill",
        "john.smith",
        "USD",
        "Parking at the O'Hare client site",
        (("Parking meter, 20 minutes", TRAVEL, "0.75"),),
    ),
    Seed(
        19,
        "priya.raman",
        "maria.garcia",
        "EUR",
        "Taxi home after the release night",
        (("Taxi, 02:40", TRAVEL, "38.60"), ("Tip", TRAVEL, "3.40")),
    ),
    Seed(
        33,
        "yuki.tanaka",
        "wei.chen",
        "JPY",
        "東京オフィス訪問 (visit to the Tokyo office)",
        (
            ("新幹線 東京-大阪 往復", TRAVEL, "27240"),
            ("ホテル 2泊", LODGING, "31800"),
            ("会食 (4名)", MEALS, "18950"),
        ),
    ),
    Seed(
        58,
        "bjorn.lindqvist",
        "lena.hoffmann",
        "SEK",
        "Kundbesök i Göteborg: resa, övernattning & lunch",
        (
            ("Tåg Stockholm-Göteborg t/r", TRAVEL, "1190.00"),
            ("Hotell, en natt", LODGING, "1425.00"),
            ("Lunch för två", MEALS, "318.50"),
        ),
    ),
    Seed(
        75,
        "tomasz.wojcik",
        "lena.hoffmann",
        "EUR",
        'New monitor, 27" 4K, for the "quiet room" desk',
        (('Monitor 27" 4K USB-C', EQUIPMENT, "489.00"), ("Recycling fee", OTHER, "1.99")),
    ),
    Seed(
        96,
        "chloe.dubois",
        "maria.garcia",
        "EUR",
        "Café & croissants pour l'équipe, sprint review",
        (("Boulangerie du Marché", MEALS, "41.80"),),
    ),
    Seed(
        2 * _HOUR + 20,
        "omar.haddad",
        "amara.okafor",
        "USD",
        "Annual conference booth: stand, shipping, staff travel",
        (
            ("Booth space 6 x 3 m", MARKETING, "96000.00"),
            ("Booth build and graphics", MARKETING, "41250.00"),
            ("Freight, two crates", MARKETING, "8930.40"),
            ("Flights, four people", TRAVEL, "6212.60"),
            ("Hotel, four rooms, five nights", LODGING, "14380.00"),
            ("Badge scanners", EQUIPMENT, "1780.00"),
            ("Give-aways", MARKETING, "11900.00"),
            ("Insurance", OTHER, "3797.00"),
        ),
        note="Budget line MKT-2025-04 confirmed by finance.",
    ),
    Seed(
        3 * _HOUR,
        "jane.doe",
        "john.smith",
        "USD",
        "Software licences <renewal>: 12 seats & 1 spare",
        (("Design tool, 12 seats", SOFTWARE, "6480.00"), ("Spare seat", SOFTWARE, "540.00")),
    ),
    Seed(
        4 * _HOUR + 10,
        "siobhan.oneill",
        "amara.okafor",
        "GBP",
        "Train London-Manchester, customer workshop",
        (
            ("Off-peak return", TRAVEL, "98.70"),
            ("Tram, day ticket", TRAVEL, "7.10"),
            ("Sandwiches for the workshop", MEALS, "64.35"),
        ),
    ),
    Seed(
        5 * _HOUR,
        "priya.raman",
        "wei.chen",
        "INR",
        "Diwali dinner with the Bengaluru team",
        (("Dinner for 14", MEALS, "24850.00"), ("Sweets", MEALS, "3199.50")),
    ),
    Seed(
        7 * _HOUR,
        "tomasz.wojcik",
        "john.smith",
        "PLN",
        "Szkolenie: bezpieczeństwo aplikacji (two days)",
        (("Course fee", TRAINING, "3690.00"), ("Pociąg Kraków-Warszawa", TRAVEL, "298.00")),
    ),
    Seed(
        9 * _HOUR,
        "omar.haddad",
        "maria.garcia",
        "USD",
        "Mobile roaming, customer visit in Amman",
        (("Roaming, 4 GB", TELECOM, "60.00"),),
    ),
    Seed(
        11 * _HOUR,
        "bjorn.lindqvist",
        "john.smith",
        "USD",
        "Refurbished laptop for the intern; old one handed in",
        (
            ("Laptop, refurbished", EQUIPMENT, "849.00"),
            ("Docking station", EQUIPMENT, "129.90"),
            ("Trade-in of the old laptop", EQUIPMENT, "-150.00"),
        ),
    ),
    Seed(
        14 * _HOUR,
        "chloe.dubois",
        "lena.hoffmann",
        "CHF",
        "Zürich: Kundentermin, Übernachtung",
        (
            ("Zugticket Genf-Zürich", TRAVEL, "88.00"),
            ("Hotel am Bahnhof", LODGING, "214.50"),
            ("Abendessen", MEALS, "57.30"),
        ),
    ),
    Seed(
        18 * _HOUR,
        "jane.doe",
        "wei.chen",
        "USD",
        "Books on distributed systems for the team shelf",
        (
            ("Two textbooks", TRAINING, "131.98"),
            ("Shipping", OTHER, "8.50"),
        ),
    ),
    Seed(
        _DAY,
        "yuki.tanaka",
        "maria.garcia",
        "KRW",
        "서울 파트너 회의 (partner meeting in Seoul)",
        (("KTX 왕복", TRAVEL, "119600"), ("점심 식사", MEALS, "86000")),
    ),
    Seed(
        _DAY + 3 * _HOUR,
        "siobhan.oneill",
        "lena.hoffmann",
        "EUR",
        "Team offsite in Galway: venue, dinner & music",
        (
            ("Venue, one day", OTHER, "780.00"),
            ("Dinner for eleven", MEALS, "638.45"),
            ("Trad band, two hours", OTHER, "300.00"),
            ("Coach, return", TRAVEL, "412.00"),
        ),
    ),
    Seed(
        _DAY + 6 * _HOUR,
        "priya.raman",
        "amara.okafor",
        "USD",
        "Accessibility audit by an outside firm, phase 1",
        (("Audit, 5 days", OTHER, "7250.00"), ("Report", OTHER, "950.00")),
    ),
    Seed(
        _DAY + 9 * _HOUR,
        "tomasz.wojcik",
        "wei.chen",
        "USD",
        'Keyboard ("ergonomic") & wrist rest',
        (("Keyboard", EQUIPMENT, "179.00"), ("Wrist rest", SUPPLIES, "19.95")),
    ),
    Seed(
        2 * _DAY,
        "omar.haddad",
        "john.smith",
        "USD",
        "Flight change after the cancelled connection in FRA",
        (("Rebooking fee", TRAVEL, "175.00"), ("Airport hotel", LODGING, "142.33")),
    ),
    Seed(
        2 * _DAY + 5 * _HOUR,
        "bjorn.lindqvist",
        "amara.okafor",
        "NGN",
        "Lagos office: generator fuel & airport pick-up",
        (("Diesel, 120 l", OTHER, "147600.00"), ("Driver, two trips", TRAVEL, "45000.00")),
    ),
    Seed(
        2 * _DAY + 11 * _HOUR,
        "chloe.dubois",
        "john.smith",
        "USD",
        "Stock photos for the autumn campaign",
        (("Licence, 10 images", MARKETING, "299.00"),),
    ),
    Seed(
        3 * _DAY,
        "jane.doe",
        "maria.garcia",
        "USD",
        "Team lunch, welcome to the new colleagues (vegan < 50 %)",
        (("Lunch for nine", MEALS, "243.18"), ("Tip", MEALS, "48.60")),
    ),
    Seed(
        4 * _DAY,
        "yuki.tanaka",
        "lena.hoffmann",
        "EUR",
        "Hardware security keys, 2 per person",
        (("Security keys, 24 pieces", EQUIPMENT, "1176.00"), ("Customs", OTHER, "61.74")),
    ),
    Seed(
        5 * _DAY + 2 * _HOUR,
        "siobhan.oneill",
        "wei.chen",
        "GBP",
        "Courier: signed contracts to the customer's solicitor",
        (("Same-day courier", OTHER, "34.20"),),
    ),
    Seed(
        6 * _DAY,
        "priya.raman",
        "amara.okafor",
        "USD",
        "Cloud training credits, unused seats returned",
        (
            ("Credits, 40 people", TRAINING, "5200.00"),
            ("Returned seats", TRAINING, "-390.00"),
        ),
        note="Asked for the vendor's credit note.",
    ),
    Seed(
        3 * _DAY + 7 * _HOUR,
        "tomasz.wojcik",
        "john.smith",
        "USD",
        "Airport lounge during a six-hour delay",
        (("Day pass", TRAVEL, "49.00"),),
        settled=Settlement(Status.APPROVED, "john.smith@example.com", None),
    ),
    Seed(
        5 * _DAY,
        "omar.haddad",
        "maria.garcia",
        "EUR",
        "Standing desk for the home office",
        (("Desk frame", EQUIPMENT, "399.00"), ("Table top", EQUIPMENT, "120.00")),
        settled=Settlement(
            Status.REJECTED,
            "maria.garcia@example.com",
            "Home furniture isn't covered; please use the yearly allowance.",
        ),
    ),
    Seed(
        8 * _DAY,
        "chloe.dubois",
        "amara.okafor",
        "USD",
        "Interpreter for the negotiation, half a day",
        (("Interpreter", OTHER, "620.00"),),
        settled=Settlement(Status.APPROVED, "lena.hoffmann@example.com", "Covering for Amara."),
    ),
    Seed(
        6 * _DAY + 4 * _HOUR,
        "bjorn.lindqvist",
        "lena.hoffmann",
        "SEK",
        "Duplicate of an earlier report",
        (("Taxi", TRAVEL, "289.00"),),
        settled=Settlement(
            Status.CANCELLED, "bjorn.lindqvist@example.com", "Handed in twice, sorry."
        ),
    ),
)

_DECIDED_AFTER = timedelta(hours=5)


def seed_reports(started_at: datetime) -> list[Report]:
    """The first reports, as they stand when the program starts for the first time."""
    numbers: Counter[str] = Counter()
    reports = []
    for seed in sorted(SEEDS, key=lambda seed: -seed.minutes_ago):
        created_at = started_at - timedelta(minutes=seed.minutes_ago)
        day = f"{created_at:%Y-%m-%d}"
        if seed.id is None:
            numbers[day] += 1
        report_id = seed.id or f"EXP-{day}-{numbers[day]:03d}"
        lines = tuple(
            LineItem(item, category, to_cents(Decimal(amount), seed.currency))
            for item, category, amount in seed.lines
        )
        settled = seed.settled
        decided_at = None if settled is None else created_at + _DECIDED_AFTER
        approver = APPROVERS[f"{seed.approver}@example.com"]
        notes: tuple[Note, ...] = ()
        if seed.note is not None:
            notes = (Note("", seed.note, approver.email_addr, created_at + timedelta(minutes=30)),)
        reports.append(
            Report(
                id=report_id,
                currency=seed.currency,
                description=seed.description,
                submitter=SUBMITTERS[f"{seed.submitter}@example.com"],
                approver=approver,
                line_items=lines,
                total_cents=sum(line.cents for line in lines),
                status=Status.PENDING if settled is None else settled.status,
                version=1 if settled is None else 2,
                created_at=created_at,
                updated_at=decided_at or created_at,
                decided_by=None if settled is None else settled.decided_by,
                decided_at=decided_at,
                decision_reason=None if settled is None else settled.reason,
                notes=notes,
            )
        )
    return reports


def fill(writer: Writer, started_at: datetime) -> None:
    """Writes the first reports into a new data file."""
    for report in seed_reports(started_at):
        writer.add(report)
