"""Custom code: Python of one's own over `p`, where the command line has --allow-code. Source: spec/features.md §8."""

from __future__ import annotations

import ast
from typing import Any

from modules.built_in import BadRequest
from modules.processing import Processed

from modules import scripts, shared

EXAMPLE = """from modules.processing import process_images

p.width = 768
p.height = 768
p.batch_size = 2
p.steps = 10

return process_images(p)
"""


class Script(scripts.Script):
    def title(self) -> str:
        return "Custom code"

    def show(self, is_img2img: bool) -> bool:
        return bool(shared.cmd_opts.allow_code)

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        code = gr.Code(value=EXAMPLE, language="python", label="Python code", elem_id=self.elem_id("code"))
        indent_level = gr.Number(label="Indent level", value=2, precision=0, elem_id=self.elem_id("indent_level"))
        return [code, indent_level]

    def run(self, p: Any, code: str, indent_level: int) -> Any:
        if not shared.cmd_opts.allow_code:
            raise BadRequest("Custom code runs only if the command line has --allow-code.")
        shown: list[Any] = [[], -1, ""]

        def display(imgs: list[Any], s: int = -1, i: str = "") -> None:
            """Shows pictures as the result, with their seed and text."""
            shown[:] = [imgs, s, i]

        result = run_code(code, {"p": p, "display": display, "__name__": "custom_code"})
        return result if isinstance(result, Processed) else Processed(p, *shown)


def run_code(code: str, names: dict[str, Any]) -> Any:
    """What `code` returns, run as the body of a function; a last line that is an expression is returned.

    Raises: BadRequest for what is no Python; whatever the code raises.
    """
    try:
        own = ast.parse(code, "custom code").body
        tree = ast.parse("def body():\n    pass\n", "custom code")
        function = tree.body[0]
        if own and isinstance(own[-1], ast.Expr):
            own[-1] = ast.copy_location(ast.Return(own[-1].value), own[-1])
        if own and isinstance(function, ast.FunctionDef):
            function.body = own
        compiled = compile(tree, "custom code", "exec")
    except SyntaxError as error:
        raise BadRequest(f"Custom code, line {error.lineno}: {error.msg}.") from error
    exec(compiled, names)
    return names["body"]()
