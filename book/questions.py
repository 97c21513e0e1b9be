"""The directive `question`: a few answers to choose from, each of which says at once whether it is right, and why.

    ```{question} Which state stands in $dU$?
    $h_t$
    : No. …

    $h_{t-1}$
    : Right. …
    ```

A page needs no script for it: each answer is a `details` element, which browsers open and close by themselves.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Question(nodes.Element, nodes.General):
    """A question with its answers."""


class Answer(nodes.Element, nodes.General):
    """One answer: what can be chosen, then what is said to it."""


class Choice(nodes.TextElement, nodes.General):
    """What can be chosen."""


class Ask(SphinxDirective):
    """A question (the argument) and its answers (a definition list); what is said begins with “Right.” or “No.”"""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        asked, messages = self.parse_inline(self.arguments[0])
        found = Question()
        found += nodes.paragraph("", "", *asked, classes=["asked"])
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        rights = 0
        for item in body.findall(nodes.definition_list_item):
            term, said = item.children[0], item.children[-1]
            first = said.astext().split(".")[0]
            if first not in ("Right", "No"):
                raise self.error(f"what is said to “{term.astext()}” must begin with “Right.” or “No.”")
            rights += first == "Right"
            found += Answer("", Choice("", "", *term.children), *said.children, right=first == "Right")
        if rights != 1:
            raise self.error(f"a question has one right answer; this one has {rights}")
        return [found, *messages]


def _visit_question(self, node: nodes.Element) -> None:
    self.body.append('<div class="question">')


def _depart_question(self, node: nodes.Element) -> None:
    self.body.append("</div>")


def _visit_answer(self, node: nodes.Element) -> None:
    self.body.append(f'<details class="{"right" if node["right"] else "wrong"}">')


def _depart_answer(self, node: nodes.Element) -> None:
    self.body.append("</details>")


def _visit_choice(self, node: nodes.Element) -> None:
    formulas = all(isinstance(child, nodes.math) for child in node.children)  # a name that can be read out
    self.body.append(self.starttag(node, "summary", "", **({"aria-label": node.astext()} if formulas else {})))


def _depart_choice(self, node: nodes.Element) -> None:
    self.body.append("</summary>")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(Question, html=(_visit_question, _depart_question))
    app.add_node(Answer, html=(_visit_answer, _depart_answer))
    app.add_node(Choice, html=(_visit_choice, _depart_choice))
    app.add_directive("question", Ask)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
