"""Claims that cannot fail."""

import ast


def called(call):
    """The last part of a name that is called: "claim" of `run.claim(...)` and of `claim(...)`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def vacuous(code):
    """The claims in a cell whose `holds=` is true whatever the numbers say, or may be made so."""
    tree = ast.parse(code)
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def empty(node, seen=frozenset()):
        match node:
            case ast.Constant() | ast.BoolOp(op=ast.Or()) | ast.BinOp(op=ast.BitOr()):
                return True
            case ast.IfExp(body=one, orelse=other):
                return empty(one, seen) or empty(other, seen)
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(empty(part, seen) for part in parts)
            case ast.Call(func=ast.Name("bool"), args=[inner]):
                return empty(inner, seen)
            case ast.Name(name) if name in named and name not in seen:
                return empty(named[name], seen | {name})
        return False

    conditions = [
        keyword.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) == "claim"
        for keyword in node.keywords
        if keyword.arg == "holds"
    ]
    return [ast.unparse(condition) for condition in conditions if empty(condition)]
