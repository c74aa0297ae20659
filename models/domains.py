"""What the generator writes about: domains, the facts of each, and word lists.

``{n}`` is the entity of a domain, ``{v}`` the value of a fact. Questions use
other words than the statements that answer them, where English allows it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A fact: the kind of its value, ways to state it, ways to ask for it."""

    kind: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """Entities of one sort; ``name`` makes an entity's name of an invented word."""

    name: str
    slots: tuple[Slot, ...]


FIRST_NAMES = (
    "Anna Maria Clara Ruth Ingrid Nora Sofia Helen Peter Marco Viktor Hugo Oscar Samuel Albert "
    "Thomas Felix Martin Walter Diego Arthur Leon Robert Alice Emma Rosa Paula Simon Karl Otto"
).split()

WORDS = {
    "material": "granite marble copper timber brick limestone glass iron bronze slate".split(),
    "colour": "red blue green yellow white black purple orange silver golden".split(),
    "animal": "wolves herons otters eagles beavers foxes seals storks bats owls".split(),
    "subject": "botany chemistry astronomy medicine law geology music history physics".split(),
    "product": "steel paper ships textiles bicycles clocks furniture pianos cheese salt".split(),
    "instrument": "violin piano flute cello trumpet harp organ guitar drum clarinet".split(),
    "crop": "barley wheat olives grapes apples cotton tobacco potatoes rice hops".split(),
    "metal": "silver tin lead zinc nickel cobalt coal gold sulphur quartz".split(),
    "illness": "malaria cholera scurvy leprosy typhus measles asthma gout rabies anthrax".split(),
}

DOMAINS = (
    Domain("the {} Museum", (
        Slot("person", ("{n} was founded by {v}", "{v} founded {n}"),
             ("Who established {n}?", "Who was the founder of {n}?")),
        Slot("year", ("{n} opened in {v}", "In {v}, {n} opened its doors"),
             ("When were visitors first admitted to {n}?", "In what year did {n} open?")),
        Slot("place", ("{n} is located in {v}", "{n} stands in the town of {v}"),
             ("Where can one find {n}?", "In which town is {n}?")),
        Slot("count", ("{n} holds {v} paintings", "A total of {v} paintings hang in {n}"),
             ("How many paintings does {n} own?", "How many pictures are in {n}?")),
        Slot("material", ("The walls of {n} are made of {v}", "{n} was built of {v}"),
             ("What is {n} made of?", "Which material was used for {n}?")),
        Slot("person", ("{n} is directed by {v}", "{v} is the director of {n}"),
             ("Who runs {n}?", "Who is in charge of {n}?")),
    )),
    Domain("the {} River", (
        Slot("count", ("{n} is {v} kilometres long", "{n} runs for {v} kilometres"),
             ("How long is {n}?", "What is the length of {n}?")),
        Slot("place", ("{n} flows through {v}", "The largest town on {n} is {v}"),
             ("Which town lies on {n}?", "What town does {n} pass?")),
        Slot("person", ("{n} was first mapped by {v}", "{v} drew the first map of {n}"),
             ("Who charted {n}?", "Who was the first to survey {n}?")),
        Slot("animal", ("{n} is known for its {v}", "Many {v} live along {n}"),
             ("What animals are found along {n}?", "Which animals is {n} famous for?")),
        Slot("year", ("{n} flooded the valley in {v}", "In {v}, {n} broke its banks"),
             ("When was the flood of {n}?", "In what year did {n} flood?")),
    )),
    Domain("{} University", (
        Slot("year", ("{n} was established in {v}", "In {v}, {n} was established"),
             ("When was {n} founded?", "In what year did {n} begin?")),
        Slot("person", ("The first rector of {n} was {v}", "{v} was the first rector of {n}"),
             ("Who first led {n}?", "Who was the earliest head of {n}?")),
        Slot("count", ("{n} has {v} students", "There are {v} students at {n}"),
             ("How many people study at {n}?", "How many students does {n} teach?")),
        Slot("subject", ("{n} is famous for {v}", "Students come to {n} to learn {v}"),
             ("Which subject is {n} known for?", "What do people study at {n}?")),
        Slot("colour", ("The flag of {n} is {v}", "{n} has a {v} flag"),
             ("What colour is the banner of {n}?", "Which colour stands for {n}?")),
        Slot("place", ("The campus of {n} is in {v}", "{n} has its campus in {v}"),
             ("Where is {n}?", "In which town is {n} situated?")),
    )),
    Domain("the {} Company", (
        Slot("product", ("{n} makes {v}", "The main product of {n} is {v}"),
             ("What does {n} produce?", "What is manufactured by {n}?")),
        Slot("person", ("{n} was started by {v}", "{v} started {n}"),
             ("Who set up {n}?", "By whom was {n} created?")),
        Slot("count", ("{n} employs {v} people", "{n} has {v} workers"),
             ("How many people work for {n}?", "How large is the staff of {n}?")),
        Slot("place", ("The head office of {n} is in {v}", "{n} has its head office in {v}"),
             ("Where is {n} based?", "In which town are the headquarters of {n}?")),
        Slot("year", ("{n} was sold in {v}", "In {v}, {n} was sold"),
             ("When did {n} change hands?", "In what year did {n} get a new owner?")),
    )),
    Domain("the {} Bridge", (
        Slot("person", ("{n} was designed by {v}", "The engineer {v} designed {n}"),
             ("Who drew the plans of {n}?", "Which engineer planned {n}?")),
        Slot("count", ("{n} is {v} metres long", "{n} has a length of {v} metres"),
             ("How long is {n}?", "How many metres does {n} span?")),
        Slot("year", ("{n} was completed in {v}", "Work on {n} ended in {v}"),
             ("When was {n} finished?", "In what year was {n} ready?")),
        Slot("colour", ("{n} is painted {v}", "The towers of {n} are {v}"),
             ("What colour is {n}?", "Which colour was chosen for {n}?")),
        Slot("material", ("{n} is built of {v}", "The arches of {n} are of {v}"),
             ("What is {n} made of?", "Which material holds up {n}?")),
    )),
    Domain("the {} Orchestra", (
        Slot("person", ("{n} is conducted by {v}", "{v} conducts {n}"),
             ("Who leads {n}?", "Who is the conductor of {n}?")),
        Slot("count", ("{n} has {v} players", "{v} musicians play in {n}"),
             ("How many members does {n} have?", "How big is {n}?")),
        Slot("instrument", ("{n} is admired for its {v}", "The {v} is the pride of {n}"),
             ("Which instrument is {n} known for?", "What instrument made {n} famous?")),
        Slot("year", ("{n} first played in {v}", "In {v}, {n} gave its first concert"),
             ("When did {n} make its debut?", "In what year did {n} first perform?")),
        Slot("place", ("The home of {n} is {v}", "{n} comes from {v}"),
             ("Where does {n} live?", "Which town is {n} from?")),
    )),
    Domain("the {} Farm", (
        Slot("crop", ("{n} grows {v}", "The fields of {n} are full of {v}"),
             ("What is the crop of {n}?", "What is planted at {n}?")),
        Slot("count", ("{n} covers {v} acres", "{n} has {v} acres of land"),
             ("How large is {n}?", "How many acres belong to {n}?")),
        Slot("person", ("{n} is owned by {v}", "{v} is the owner of {n}"),
             ("Who does {n} belong to?", "Whose property is {n}?")),
        Slot("place", ("{n} lies near {v}", "The nearest town to {n} is {v}"),
             ("Which town is close to {n}?", "Where is {n}?")),
        Slot("year", ("A fire destroyed the barn of {n} in {v}", "In {v}, {n} burned down"),
             ("When did {n} catch fire?", "In what year was the fire at {n}?")),
    )),
    Domain("the {} Mine", (
        Slot("metal", ("{n} yields {v}", "Workers dig {v} out of {n}"),
             ("What is mined at {n}?", "What comes from {n}?")),
        Slot("count", ("{n} is {v} metres deep", "{n} reaches {v} metres down"),
             ("How deep is {n}?", "What is the depth of {n}?")),
        Slot("year", ("{n} was closed in {v}", "In {v}, {n} was shut"),
             ("When did work at {n} stop?", "In what year was {n} given up?")),
        Slot("person", ("{n} was discovered by {v}", "{v} discovered {n}"),
             ("Who found {n}?", "By whom was {n} first seen?")),
        Slot("place", ("The workers of {n} live in {v}", "{v} is the home of the workers of {n}"),
             ("Where do the people of {n} live?", "In which town do the miners of {n} stay?")),
    )),
    Domain("the {} Hospital", (
        Slot("illness", ("{n} treats {v}", "Patients with {v} go to {n}"),
             ("Which illness is cured at {n}?", "What disease is {n} for?")),
        Slot("count", ("{n} has {v} beds", "There are {v} beds in {n}"),
             ("How many patients fit in {n}?", "How many beds does {n} offer?")),
        Slot("person", ("The chief doctor of {n} is {v}", "{v} is the chief doctor of {n}"),
             ("Who heads {n}?", "Which doctor runs {n}?")),
        Slot("year", ("{n} was rebuilt in {v}", "In {v}, {n} was rebuilt"),
             ("When was {n} renewed?", "In what year was {n} restored?")),
        Slot("colour", ("The roof of {n} is {v}", "{n} has a {v} roof"),
             ("What colour is the top of {n}?", "Which colour covers {n}?")),
    )),
    Domain("the {} Railway", (
        Slot("place", ("{n} ends in {v}", "The last station of {n} is {v}"),
             ("Where does {n} stop?", "What is the final town on {n}?")),
        Slot("count", ("{n} carries {v} passengers a day", "Each day {v} people ride on {n}"),
             ("How many travellers use {n}?", "How many riders does {n} have?")),
        Slot("person", ("{n} was paid for by {v}", "{v} paid for {n}"),
             ("Who gave the money for {n}?", "Who financed {n}?")),
        Slot("year", ("The first train of {n} ran in {v}", "In {v}, {n} ran its first train"),
             ("When did {n} start?", "In what year was the first journey on {n}?")),
        Slot("product", ("{n} was built to move {v}", "Trains full of {v} run on {n}"),
             ("What goods does {n} carry?", "What is transported on {n}?")),
    )),
    Domain("the {} Castle", (
        Slot("person", ("{n} was besieged by {v}", "{v} laid siege to {n}"),
             ("Who attacked {n}?", "Whose army stood before {n}?")),
        Slot("year", ("{n} fell in {v}", "In {v}, {n} surrendered"),
             ("When was {n} taken?", "In what year was {n} lost?")),
        Slot("count", ("{n} was held by {v} soldiers", "{v} soldiers guarded {n}"),
             ("How many men defended {n}?", "How many troops were in {n}?")),
        Slot("material", ("The gate of {n} is of {v}", "{n} has a gate of {v}"),
             ("What is the door of {n} made of?", "Which material closes {n}?")),
        Slot("animal", ("The coat of arms of {n} shows {v}", "{v} stand on the arms of {n}"),
             ("Which animals are on the shield of {n}?", "What animals stand for {n}?")),
    )),
    Domain("{} Island", (
        Slot("person", ("{n} was claimed by {v}", "{v} claimed {n}"),
             ("Who took possession of {n}?", "Which explorer won {n}?")),
        Slot("count", ("{n} has {v} inhabitants", "{v} people live on {n}"),
             ("What is the population of {n}?", "How many islanders are on {n}?")),
        Slot("crop", ("The people of {n} grow {v}", "{n} sells {v}"),
             ("What is farmed on {n}?", "What does {n} export?")),
        Slot("place", ("The harbour of {n} is {v}", "Ships to {n} land at {v}"),
             ("What is the port of {n}?", "Where do boats arrive on {n}?")),
        Slot("year", ("The volcano of {n} erupted in {v}", "In {v}, {n} was covered by ash"),
             ("When was the eruption on {n}?", "In what year did {n} suffer an eruption?")),
    )),
    Domain("the {} Choir", (
        Slot("person", ("{v} wrote the hymn of {n}", "The hymn of {n} is by {v}"),
             ("Who composed the song of {n}?", "Whose music does {n} use?")),
        Slot("count", ("{n} has {v} voices", "{v} people sing in {n}"),
             ("How many singers are in {n}?", "How big is {n}?")),
        Slot("colour", ("The robes of {n} are {v}", "{n} wears {v} robes"),
             ("What colour are the clothes of {n}?", "Which colour does {n} dress in?")),
        Slot("year", ("{n} won the great prize in {v}", "In {v}, {n} won the great prize"),
             ("When was {n} rewarded?", "In what year did {n} receive its award?")),
        Slot("instrument", ("{n} sings with a {v}", "A {v} plays along with {n}"),
             ("What instrument goes with {n}?", "Which instrument accompanies {n}?")),
    )),
)  # fmt: skip
