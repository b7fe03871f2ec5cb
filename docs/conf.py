"""How the documents are built: `sphinx-build -W docs docs/_build`."""

import re
from importlib.metadata import version as version_of

from sphinx.ext.napoleon import Config, GoogleDocstring

project = "llmkit"
author = "The llmkit authors"
copyright = "The llmkit authors"
version = release = version_of("llmkit")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "code"  # docstrings write code in single backticks

html_theme = "furo"
html_title = "llmkit"
html_static_path = ["_static"]
html_css_files = ["llmkit.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
highlight_options = {"python": {"stripnl": True}}

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100


#: Classes that a user gets and does not make.
GIVEN = {"LanguageModel", "ChatStream", "AsyncChatStream", "Decoder", "Transport", "Body", "AsyncBody"}


def signature_of(app, what, name, obj, options, signature, returns):
    """A default that is made anew for each object has no text that is Python; `...` stands for it."""
    if what == "class" and name.rpartition(".")[2] in GIVEN:
        return "", returns
    return signature and signature.replace("<factory>", "..."), returns


def readable(app, what, name, obj, options, lines):
    """Docstrings are plain text with Google's sections.

    Code is in single backticks, or in an indented block after an empty line.
    """
    out, inside = [], False
    for place, line in enumerate(lines):
        if line and not line.startswith("    "):
            inside = False
        elif line and not inside and place and not lines[place - 1]:
            inside = True
            code = re.match(r" {4}(from|import|class|with|async|def) ", line)
            out += [f".. code-block:: {'python' if code else 'text'}", ""]
        # `Message`s: a word may go on after code.
        out.append(line if inside else re.sub(r"(?<!`)`([^`]+)`(?!`)(?=(\w?))", _literal, line))
    if name.endswith("Settings"):
        names = "|".join(obj.__annotations__)
        out = [_item(line, names) if place > 1 else line for place, line in enumerate(out)]
    # A property's colon is a colon, not a type; an attribute's name is text, not a link to some other attribute.
    kind = None if what == "property" else what
    style = Config(napoleon_custom_sections=[("Attributes", "params_style")])
    lines[:] = GoogleDocstring("\n".join(out), style, what=kind, obj=obj).lines()


def _literal(match):
    return f"``{match[1]}``" + ("\\ " if match[2] else "")


def _item(line, names):
    """A line of a list of settings: `top_k: 0 or more`."""
    if not line or line.startswith(" "):
        return f"  {line.strip()}".rstrip()
    return "* " + re.sub(rf"\b({names})(?=(, ({names}))*:)", r"``\1``", line)


def setup(app):
    app.connect("autodoc-process-signature", signature_of)
    app.connect("autodoc-process-docstring", readable)
