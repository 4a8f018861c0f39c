"""What the forms of initialisation and login hold, and what is wrong with it before anything is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.runtime.errors import Problem
from services.smc.accounts import QUESTIONS, Answer

SUGGESTED = (
    "What was the name of your first pet?",
    "In which street did you live as a child?",
    "What was your first teacher called?",
    "Where did your parents meet?",
    "What was the first dish you learned to cook?",
    "What was the name of your best friend at school?",
    "Which was the first concert you went to?",
    "What was your first job?",
)


@dataclass
class InitialiseForm:
    """The first account as typed; `wrong` maps a field to what is wrong with it."""

    name: str
    password: str
    again: str
    answers: list[Answer]
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "InitialiseForm":
        """From the submitted form; fields that are missing are empty."""
        numbers = range(1, QUESTIONS + 1)
        answers = [Answer(form.get(f"question-{n}", ""), form.get(f"answer-{n}", "")) for n in numbers]
        return cls(form.get("name", "").strip(), form.get("password", ""), form.get("again", ""), answers)

    @classmethod
    def blank(cls) -> "InitialiseForm":
        """An empty form with three different questions chosen."""
        return cls("", "", "", [Answer(question, "") for question in SUGGESTED[:QUESTIONS]])

    def complete(self) -> bool:
        """Whether both passwords are the same; the rest is judged by the platform itself."""
        if self.password != self.again:
            self.wrong["again"] = "The two passwords differ. Type the same password twice."
        return not self.wrong

    def take(self, problem: Problem) -> None:
        """Put the platform's refusal beside the field it is about."""
        place = "name" if problem.code == "account-name" else problem.code.split("-")[0]
        known = place if place in {"name", "password", "protection"} else "form"
        self.wrong[known] = f"{problem.why} {problem.remedy}" if known != "form" else str(problem)
