#!/usr/bin/python
"""Compare, write and take away the rendered files of a node, in one task."""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dss_tree_writer import Tree, TreeError

DOCUMENTATION = r"""
module: dss_tree
short_description: Install every rendered file of a node at once
description:
  - Writes what differs, atomically, and removes what it wrote earlier and is no longer rendered.
  - Puts the node's own secrets where the text says C(@@credential:name@@); they never leave the node.
  - Notes the units that must restart, so that a run which dies before the restart loses nothing.
options:
  files:
    description: Path to text, mode, owner, group and affects (list of units).
    type: dict
    required: true
  root:
    description: Folder that all paths are below.
    type: path
    default: /
  credentials:
    description: Folder of the node's secrets; by default the one below C(root).
    type: path
author: DSS
"""

EXAMPLES = r"""
- name: Write one file
  dss_tree:
    files:
      /etc/dss/hello: {text: "hello\n", mode: "0644", owner: root, group: root, affects: [dss-smc.service]}
"""

RETURN = r"""
changed_paths:
  description: What was written or removed.
  type: list
  returned: always
affected:
  description: Units to restart, each with C(reload) or C(restart).
  type: dict
  returned: always
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "dict", "required": True},
            "root": {"type": "path", "default": "/"},
            "credentials": {"type": "path"},
        },
        supports_check_mode=True,
    )
    tree = Tree(module.params["root"], module.check_mode, module.params["credentials"])
    try:
        tree.apply(module.params["files"], tree.recorded())
    except (TreeError, OSError, ValueError) as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(
        changed=bool(tree.changed), changed_paths=tree.changed, affected=tree.affected, diff=tree.diffs
    )


if __name__ == "__main__":
    main()
