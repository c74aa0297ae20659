"""Questions that make sentinels where those of a suite do not: without references, or too few."""

from __future__ import annotations

from pytest_raq.records import Question


def _ask(question: str, reference: str, *passage: str) -> Question:
    name = "spare-" + "-".join(question.lower().rstrip("?").split()[:3])
    return Question(name, "", " ".join(passage), question, (reference,))


SPARE_QUESTIONS = (
    _ask(
        "Which planet is closest to the Sun?",
        "Mercury",
        "Mercury is the planet closest to the Sun and the smallest one of all.",
        "It goes around the Sun once in 88 days.",
        "By day its ground is hot enough to melt lead, and its nights are very cold.",
        "It has no moon and hardly any air.",
    ),
    _ask(
        "How many players of one team are on the field in a football match?",
        "eleven",
        "In football each team has eleven players on the field, of whom one keeps the goal.",
        "A match lasts for ninety minutes with a break in the middle.",
        "The ball may be played with every part of the body but the arms and hands.",
        "A team may exchange some players during a match.",
    ),
    _ask(
        "In which year did people first walk on the Moon?",
        "1969",
        "People first walked on the Moon in 1969.",
        "Two men spent some hours outside while a third one waited in orbit.",
        "They brought back stones and dust and left some instruments behind.",
        "Five more landings followed within a few years.",
    ),
    _ask(
        "Who painted the Mona Lisa?",
        "Leonardo da Vinci",
        "The Mona Lisa was painted by Leonardo da Vinci on a thin board of poplar.",
        "Nobody can say for certain how long the work on it took.",
        "It hangs in a museum behind thick glass, where millions of visitors see it every year.",
        "It was stolen once and found again two years later.",
    ),
    _ask(
        "What is the capital of Japan?",
        "Tokyo",
        "The capital of Japan is Tokyo, a city on a wide bay.",
        "Its old name was Edo, and it was a village of fishermen once.",
        "Trains carry more people there than in any other city.",
        "A large earthquake destroyed much of it a hundred years ago.",
    ),
    _ask(
        "At what temperature does water boil at sea level, in degrees Celsius?",
        "100",
        "At sea level water boils at 100 degrees Celsius.",
        "On a high mountain it boils earlier, since the air presses on it with less force.",
        "That is why potatoes take longer to cook there.",
        "Salt in the water has only a small effect.",
    ),
    _ask(
        "What do bees collect from flowers to make honey?",
        "nectar",
        "Bees make honey from nectar, which they collect from flowers.",
        "They carry it home in a stomach of its own and pass it on from mouth to mouth.",
        "Wings fan the open cells until enough of the water has gone.",
        "Then each cell is closed with a lid of wax.",
    ),
    _ask(
        "Who wrote Romeo and Juliet?",
        "William Shakespeare",
        "Romeo and Juliet is a play by William Shakespeare about two families who hate each other.",
        "It is set in a town in the north of Italy.",
        "The story itself was older and had been told in a long poem.",
        "It has been made into operas, ballets and many films.",
    ),
)
