"""What the action plugins of these playbooks have in common."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from services import deploy
from services.runtime.errors import Problem

Answer = dict[str, Any]
display = Display()


class Action(ActionBase):
    """One task of one host, done by `work`; what is in `REFUSALS` fails it, with its text as the message."""

    TRANSFERS_FILES = False
    REFUSALS: ClassVar[tuple[type[Exception], ...]] = (Problem,)

    def run(self, tmp: None = None, task_vars: Answer | None = None) -> Answer:
        self.task_vars = task_vars or {}
        result: Answer = super().run(tmp, task_vars)
        try:
            return result | self.work()
        except self.REFUSALS as problem:
            return result | {"failed": True, "msg": str(problem)}

    @abstractmethod
    def work(self) -> Answer:
        """Do the task; returns what Ansible is to know of it."""

    @property
    def args(self) -> Answer:
        """Arguments of the task."""
        found: Answer = self._task.args
        return found

    @property
    def host_name(self) -> str:
        """The host of this task."""
        return str(self.task_vars["inventory_hostname"])

    @property
    def sources(self) -> list[str]:
        """The inventories of this run, as -i names them."""
        found: list[str] = self.task_vars["ansible_inventory_sources"]
        return found

    @property
    def extra(self) -> Answer:
        """What the command line of this run says with -e."""
        found: Answer = load_extra_vars(self._loader)
        return found

    def site(self) -> deploy.Site:
        """The inventory of this run, understood; raises InventoryErrors."""
        return deploy.load(self.sources, self.extra)

    def text(self, path: Path) -> str:
        """A file of the controller, opened by ansible-vault where it is encrypted; OSError, AnsibleError."""
        return Path(self._loader.get_real_file(str(path))).read_text()

    def module(self, name: str, args: Answer) -> Answer:
        """What a module answers on the host, without its arguments: a tree in them is long."""
        answer: Answer = self._execute_module(module_name=name, module_args=args, task_vars=self.task_vars)
        answer.pop("invocation", None)
        return answer


def fell(answer: Answer) -> bool:
    """Whether a module failed or could not be run."""
    return bool(answer.get("failed") or answer.get("unreachable"))
