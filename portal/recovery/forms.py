"""What the form of a forgotten password holds, and what is wrong with it before anything is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.runtime.errors import Problem
from services.smc.accounts import QUESTIONS


@dataclass
class ResetForm:
    """A new password with its proof, as typed; `wrong` maps a field to what is wrong with it."""

    name: str
    code: str
    answers: list[str]
    password: str
    again: str
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "ResetForm":
        """From the submitted form; fields that are missing are empty."""
        answers = [form.get(f"answer-{n}", "") for n in range(1, QUESTIONS + 1)]
        name, code = form.get("name", "").strip(), form.get("code", "").strip()
        return cls(name, code, answers, form.get("password", ""), form.get("again", ""))

    def complete(self) -> bool:
        """Whether both passwords are the same; the rest is judged by the platform itself."""
        if self.password != self.again:
            self.wrong["again"] = "The two passwords differ. Type the same password twice."
        return not self.wrong

    def take(self, problem: Problem) -> None:
        """Put what is said about the new password beside its field; the rest stands above the form."""
        if not problem.code.startswith("password-"):
            raise problem
        self.wrong["password"] = f"{problem.why} {problem.remedy}"
