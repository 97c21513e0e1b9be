"""Equations of docstrings, set as mathematics in the reference."""

import inspect

import apidoc
import equations
import pytest

from rnncore import CELLS


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("h' = (1 - z) ⊙ n + z ⊙ h", r"h' = (1 - z) \odot  n + z \odot  h"),
        ("y = x W + h U", "y = x W + h U"),
        ("a_l = s_l-1 Us_l", r"a_{l} = s_{l-1} \mathrm{Us}_{l}"),
        ("f1, t_a = split(a)", r"f_{1}, t_{a} = \operatorname{split}(a)"),
        ("x̂ = √(σ² + ε) / √v̂", r"\hat{x} = \sqrt{\sigma ^{2} + \varepsilon } / \sqrt{\hat{v}}"),
        ("yˡ = layerˡ(yˡ⁻¹)", r"y^{l} = \mathrm{layer}^{l}(y^{l - 1})"),
        ("U = A - A.T", r"U = A - A^\top "),
        ("v_k v_k* x * W", r"v_{k} v_{k}^* x \ast  W"),
        ("Σ_{k = j} ∂L/∂y", r"\sum _{k = j} \partial L/\partial y"),
        ("k = α φ    where φ < r", r"k = \alpha  \varphi \quad \text{where }\varphi  < r"),
        ("p' = hard_sigmoid(w_tau)", r"p' = \operatorname{hard\_sigmoid}(w_{\mathrm{tau}})"),
    ],
)
def test_line(text, tex):
    assert equations.line(text) == tex


def test_equations_stand_below_each_other_at_their_signs():
    made = equations.block("r = σ(a),  z = b\nh' = z ⊙ h, for all t")
    assert made == "r & = \\sigma (a), \\\\\nz & = b \\\\\nh' & = z \\odot  h,\\text{ for all }t"


def test_steps_keep_their_indentation():
    made = equations.block("K times:\n    h = f")
    assert made == " & K\\text{ times}{:}  \\\\\n & \\quad h = f"


@pytest.mark.parametrize("text", ['engine("xla")  # from here on', "rng = np.random.default_rng(seed)", "x # y"])
def test_what_is_not_known_is_no_equation(text):
    with pytest.raises(ValueError, match="no rule for"):
        equations.block(text)


@pytest.mark.parametrize("name", CELLS)
def test_equations_of_a_cell_are_mathematics(name):
    lines = inspect.getdoc(CELLS[name]).splitlines()
    apidoc.restructure(None, "class", name, CELLS[name], None, lines)
    assert any(line.startswith(".. math::") for line in lines)
    assert not any(line.startswith(".. code-block::") for line in lines)
