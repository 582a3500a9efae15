"""Every public function with three or more arguments says what each of them is."""

import ast
import re

import pytest
from imports import sources

MODULES = {name: text for name, text in sources().items() if not name.startswith("jobs")}


def classes(modules):
    """Class name -> its class in one of the modules, and the names of its bases."""
    found = {}
    for text in modules.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found[node.name] = node, [ast.unparse(base) for base in node.bases]
    return found


def overrides(name, known):
    """Whether a method is that of a protocol or of a class above its own, which documents it."""
    owner, _, method = name.rpartition(".")
    if not owner or "Protocol" in known[owner][1]:
        return False
    above = [*known[owner][1], *(name for name, (_, bases) in known.items() if "Protocol" in bases)]
    return any(
        base in known
        and (
            any(getattr(node, "name", "") == method for node in known[base][0].body)
            or overrides(f"{base}.{method}", known)
        )
        for base in above
    )


def public_functions(node, prefix=""):
    """The functions and methods of a module whose names, and whose classes' names, are public."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
            if isinstance(child, ast.ClassDef):
                yield from public_functions(child, f"{child.name}.")
            else:
                yield f"{prefix}{child.name}", child


def undocumented(function):
    """Which of three or more arguments `Args:` leaves out."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    text = (ast.get_docstring(function) or "").partition("Args:\n")[2]
    return [
        n for n in names if len(names) > 2 and not re.search(rf"^ +\*{{0,2}}{n}\b.*:", text, re.M)
    ]


CLASSES = classes(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_with_three_or_more_arguments_documents_each(module):
    functions = public_functions(ast.parse(MODULES[module]))
    own = [(name, f) for name, f in functions if not overrides(name, CLASSES)]
    assert not [(name, missing) for name, f in own if (missing := undocumented(f))]


def test_an_argument_that_is_left_out_is_found():
    source = 'def f(a, b, c):\n    """Do.\n\n    Args:\n        a, b: numbers.\n    """'
    [(name, function)] = public_functions(ast.parse(source))
    assert (name, undocumented(function)) == ("f", ["b", "c"])
