"""What the forms of initialisation and login hold, and what is wrong with it before anything is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.runtime.errors import Problem
from services.smc import passwords
from services.smc.accounts import QUESTIONS, Answer
from services.smc.recovery import SUGGESTED


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
        """From the submitted form; fields that are missing are empty. Only `classic` has questions."""
        numbers = range(1, QUESTIONS + 1) if passwords.profile() == passwords.CLASSIC else ()
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
