"""Exercise 11: the patterns: where inputs enter, and where losses sit."""

from typing import Any

import numpy as np

from rnncore import Dense, Elman, OneToMany
from rnncore.losses import softmax_cross_entropy
from rnngrade.checks.common import DHS_THROUGH_TANH, made_by
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

LAST = "hs[-1] @ V + c"


def _many_to_one_oracle(hs: Any, targets: Any, V: Any, c: Any) -> tuple[Any, ...]:
    readout = Dense(V, c)
    scores, cache = readout.forward(hs[-1])
    loss, dscores = softmax_cross_entropy(scores, targets)
    dh, grads = readout.backward(dscores, cache)
    return loss, np.concatenate([np.zeros_like(hs[1:]), dh[None]]), grads.V, grads.c


def _tagging_oracle(os: Any, targets: Any, delay: int) -> tuple[Any, ...]:
    early = np.zeros_like(targets[:delay])  # stands where there is nothing to say; the mask leaves it out
    counted = np.broadcast_to(np.arange(len(os))[:, None] >= delay, targets.shape)
    return softmax_cross_entropy(os, np.concatenate([early, targets])[: len(os)], counted)


def _one_to_many_arguments(draw: Draw) -> dict[str, Any]:
    return {
        "x": draw("B D"),
        "steps": draw.sizes["T"],
        "E": draw("D H"),
        "e": draw("H"),
        "W": draw("K H", 0.4),  # larger ones amplify what float32 rounds
        "U": draw("H H", 0.4),
        "b": draw("H"),
        "V": draw("H K"),
        "c": draw("K"),
    }


def _one_to_many_oracle(x: Any, steps: int, E: Any, e: Any, W: Any, U: Any, b: Any, V: Any, c: Any) -> tuple[Any, ...]:
    cell = Elman(W, U, b)
    ys, _ = OneToMany(Dense(E, e), cell, Dense(V, c)).forward(x, steps)
    _, (h_last,), _ = cell.forward(np.concatenate([np.zeros_like(ys[:1]), ys[:-1]]), (x @ E + e,))
    return ys, h_last


def _encoder_decoder_arguments(draw: Draw) -> dict[str, Any]:
    draw.sizes["steps"] = (2, 8, 9, draw.sizes["T"])[draw.case]  # of the decoder; once as many as the encoder's
    return {
        "xs": draw("T B D"),
        "us": draw("steps B K"),
        "h0": draw("B H"),
        "encoder": (draw("D H"), draw("H H"), draw("H")),
        "decoder": (draw("K H"), draw("H H"), draw("H")),
        "V": draw("H K"),
        "c": draw("K"),
    }


def _encoder_decoder_oracle(xs: Any, us: Any, h0: Any, encoder: Any, decoder: Any, V: Any, c: Any) -> tuple[Any, ...]:
    _, state, _ = Elman(*encoder).forward(xs, (h0,))
    hs, _, _ = Elman(*decoder).forward(us, state)
    return state[0], Dense(V, c).forward(hs)[0]


def _bptt(dhs: Any, dh_last: Any, xs: Any, hs: Any, h0: Any, W: Any, U: Any) -> tuple[Any, ...]:
    """The one of exercise 3; whatever states it is given, it takes them for what the network has computed."""
    if np.shape(dhs) != np.shape(hs) or np.shape(dh_last) != np.shape(h0) or len(xs) != len(hs):
        raise ValueError(
            f"bptt: dhs must have the shape of hs, dh_last that of h0, and xs as many steps as hs; received dhs "
            f"{np.shape(dhs)}, dh_last {np.shape(dh_last)}, xs {np.shape(xs)}, hs {np.shape(hs)}, h0 {np.shape(h0)}"
        )
    das, dh = np.zeros_like(hs), dh_last
    for t in range(len(hs) - 1, -1, -1):
        das[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = das[t] @ U.T
    before = np.concatenate([h0[None], hs[:-1]])
    dW, dU = (np.tensordot(sent, das, ([0, 1], [0, 1])) for sent in (xs, before))
    return das @ W.T, dh, dW, dU, das.sum(axis=(0, 1))


_bptt.__name__ = _bptt.__qualname__ = "bptt"  # what an error message calls it


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    given = _encoder_decoder_arguments(draw)
    xs, us, h0, encoder, decoder = (given[name] for name in ("xs", "us", "h0", "encoder", "decoder"))
    es, state, _ = Elman(*encoder).forward(xs, (h0,))
    hs, _, _ = Elman(*decoder).forward(us, state)
    return {
        "dhs": draw("steps B H"),
        "xs": xs,
        "us": us,
        "h0": h0,
        "es": es,
        "hs": hs,
        "encoder": encoder[:2],
        "decoder": decoder[:2],
        "bptt": _bptt,
    }


def _backward_oracle(
    dhs: Any, xs: Any, us: Any, h0: Any, es: Any, hs: Any, encoder: Any, decoder: Any, bptt: Any
) -> tuple[Any, ...]:
    reader, writer = made_by(xs[0], h0, es[0], *encoder), made_by(us[0], es[-1], hs[0], *decoder)
    _, state, read = reader.forward(xs, (h0,))
    _, _, written = writer.forward(us, state)
    _, dstate, d_writer = writer.backward(dhs, written)
    dxs, _, d_reader = reader.backward(None, read, dstate)
    return dstate[0], d_writer.W, d_writer.U, d_writer.b, dxs, d_reader.W, d_reader.U, d_reader.b


MANY_TO_ONE = Graded(
    name="many_to_one",
    arguments=lambda draw: {"hs": draw("T B H"), "targets": draw.classes("B"), "V": draw("H K"), "c": draw("K")},
    oracle=_many_to_one_oracle,
    outputs=(Output("loss", "", 1), Output("dhs", "T B H", 2), Output("dV", "H K", 0.5), Output("dc", "K", 0.5)),
    mistakes=(
        Mistake(
            "loss at every step",
            {
                LAST: "hs @ V + c",
                "log_p[right].mean()": "(log_p * right).sum() / (len(hs) * len(targets))",
                "- right) / len(targets)": "- right) / (len(hs) * len(targets))",
                "dhs[-1] = ": "dhs[:] = ",
                "hs[-1].T @ dscores": "np.tensordot(hs, dscores, ([0, 1], [0, 1]))",
                "dscores.sum(axis=0)": "dscores.sum(axis=(0, 1))",
            },
            "every state is read out and compared with the target: a loss at each step. The answer is due at the last "
            "step alone; before that the network has not seen the whole sequence",
        ),
        Mistake(
            "loss at the first step",
            {LAST: "hs[0] @ V + c", "dhs[-1] = ": "dhs[0] = ", "hs[-1].T": "hs[0].T"},
            "the state of the first step is read out, hs[0]; it has seen one input, and the last one, hs[-1], all",
        ),
        Mistake(
            "mean of the states",
            {
                LAST: "hs.mean(axis=0) @ V + c",
                "dhs[-1] = dscores @ V.T": "dhs[:] = dscores @ V.T / len(hs)",
                "hs[-1].T": "hs.mean(axis=0).T",
            },
            "the mean of all states is read out. It has its uses; here the last state is asked for",
        ),
        Mistake(
            "gradient at every step",
            {"dhs[-1] = ": "dhs[:] = "},
            "dhs has the gradient at every step. The loss reads hs[-1] alone, so dhs[:-1] is zero: earlier states get "
            "their blame through the recurrence, which is the business of bptt",
        ),
        Mistake(
            "gradient at the first step",
            {"dhs[-1] = ": "dhs[0] = "},
            "the gradient stands at dhs[0]; it arrives at the state that was read out, hs[-1]",
        ),
        Mistake(
            "one state",
            {"dhs[-1] = ": "dhs = "},
            "dhs is the gradient of the last state alone, (B, H); bptt asks for all steps, (T, B, H), zeros where no "
            "loss reads",
        ),
        Mistake(
            "sum",
            {"log_p[right].mean()": "log_p[right].sum()", "- right) / len(targets)": "- right)"},
            "the loss is summed over the sequences; it is their mean, one answer for each of B sequences",
        ),
        Mistake(
            "gradient of the sum",
            {"- right) / len(targets)": "- right)"},
            "the loss is a mean and its gradients are those of a sum: divide them by B as well",
        ),
        Mistake(
            "divided by T·B",
            {
                "log_p[right].mean()": "log_p[right].mean() / len(hs)",
                "- right) / len(targets)": "- right) / (len(targets) * len(hs))",
            },
            "it is divided by T·B; there is one answer a sequence, so B of them, however long they are",
        ),
        Mistake(
            "states added up",
            {"hs[-1].T": "hs.sum(axis=0).T"},
            "dV is built from the states of all steps; V has met the last one alone",
        ),
        Mistake(
            "tanh of the state",
            {"dscores @ V.T": "dscores @ V.T * (1 - hs[-1] ** 2)"},
            DHS_THROUGH_TANH,
        ),
        Mistake(
            "softmax over the batch",
            {
                "scores.max(axis=-1, keepdims=True)": "scores.max(axis=0)",
                "np.exp(shifted).sum(axis=-1, keepdims=True)": "np.exp(shifted).sum(axis=0)",
            },
            "the softmax runs over the sequences; it runs over the classes of each",
        ),
        Mistake("bias left out", {LAST: "hs[-1] @ V"}, "c is not added to the scores"),
    ),
)

TAGGING = Graded(
    name="delayed_tagging",
    arguments=lambda draw: {
        "os": draw("T B K", 1.0),
        "targets": draw.classes("T B"),
        "delay": (1, 2, 0, 2)[draw.case],
    },
    oracle=_tagging_oracle,
    outputs=(Output("loss", "", 2), Output("dos", "T B K", 2)),
    mistakes=(
        Mistake(
            "delay ignored",
            {
                "answers = os[delay:]": "answers = os",
                "targets[: len(targets) - delay]": "targets",
                "dos[delay:] = ": "dos[:] = ",
            },
            "the delay is ignored: os[t] is compared with targets[t]; it answers for the input of step t - delay",
        ),
        Mistake(
            "ahead of time",
            {
                "answers = os[delay:]": "answers = os[: len(os) - delay]",
                "targets[: len(targets) - delay]": "targets[delay:]",
                "dos[delay:] = ": "dos[: len(os) - delay] = ",
            },
            "the shift goes the other way: os[t] is compared with targets[t + delay], so that the network must answer "
            "before it has seen the input. Late is t - delay",
        ),
        Mistake(
            "wrapped around",
            {
                "answers = os[delay:]": "answers = os",
                "targets[: len(targets) - delay]": "np.roll(targets, delay, axis=0)",
                "dos[delay:] = ": "dos[:] = ",
            },
            "the targets are rolled round, so that the last ones are asked for at the first steps; there nothing is "
            "asked for",
        ),
        Mistake(
            "class 0 at the start",
            {
                "answers = os[delay:]": "answers = os",
                "targets[: len(targets) - delay]": "np.concatenate([0 * targets[:delay], targets])[: len(os)]",
                "dos[delay:] = ": "dos[:] = ",
            },
            "class 0 is asked for at the first steps; there is nothing to say yet, so they have no part in the loss",
        ),
        Mistake(
            "divided by T·B",
            {
                "log_p[right].mean()": "log_p[right].sum() / targets.size",
                "right) / wanted.size": "right) / targets.size",
            },
            "it is divided by T·B; the mean runs over the answers that are counted, (T - delay)·B",
        ),
        Mistake(
            "divided by B",
            {
                "log_p[right].mean()": "log_p[right].sum() / len(targets[0])",
                "right) / wanted.size": "right) / len(targets[0])",
            },
            "it is a mean over the batch and a sum over the steps; the mean runs over all (T - delay)·B answers",
        ),
        Mistake(
            "gradient divided by T·B",
            {"right) / wanted.size": "right) / targets.size"},
            "the gradient is divided by T·B and the loss is not; both by the number of answers, (T - delay)·B",
        ),
        Mistake(
            "sum",
            {"log_p[right].mean()": "log_p[right].sum()", "right) / wanted.size": "right)"},
            "the loss is summed; it is the mean over the (T - delay)·B answers that are counted",
        ),
        Mistake(
            "gradient of the sum",
            {"right) / wanted.size": "right)"},
            "the loss is a mean and its gradient that of a sum: divide the gradient by (T - delay)·B as well",
        ),
        Mistake(
            "gradient at the input's step",
            {"dos[delay:] = ": "dos[: len(os) - delay] = "},
            "the gradient is laid at the step of the input; it belongs to the output that was read, delay steps later",
        ),
        Mistake(
            "gradient too short",
            {"dos[delay:] = ": "dos = "},
            "dos lacks the first steps; it has the shape of os, with zeros where nothing is asked for",
        ),
        Mistake(
            "last step only",
            {
                "answers = os[delay:]": "answers = os[-1:]",
                "targets[: len(targets) - delay]": "targets[len(targets) - delay - 1 : len(targets) - delay]",
                "dos[delay:] = ": "dos[-1:] = ",
            },
            "the last step alone has a loss; that is many-to-one, and here every input has its tag",
        ),
        Mistake(
            "minus nothing",
            {"targets[: len(targets) - delay]": "targets[:-delay]"},
            "targets[:-delay] is taken: with a delay of 0 that is empty, since -0 is 0; write targets[:len(targets) - "
            "delay]",
        ),
    ),
)

ONE_TO_MANY = Graded(
    name="one_to_many",
    arguments=_one_to_many_arguments,
    oracle=_one_to_many_oracle,
    outputs=(Output("ys", "T B K", 3), Output("h_last", "B H", 1)),
    mistakes=(
        Mistake(
            "x fed again",
            {"u @ W": "u @ W + x @ E + e"},
            "x E + e is added at every step as well; x is seen once, as the state before the first step",
        ),
        Mistake(
            "x in place of the last output",
            {"u @ W": "x @ E + e"},
            "each step reads x again, and none the output before it; x makes the first state, and u_t is y_{t-1}",
        ),
        Mistake(
            "x as the first input",
            {
                "h = x @ E + e": "h, entry = np.zeros((len(x), len(U))), x @ E + e",
                "u @ W": "u @ W + (0 if ys else entry)",
            },
            "x E + e enters the sum of the first step, and the state before it is zero. It *is* that state: it must "
            "pass U",
        ),
        Mistake(
            "no feedback",
            {"u = h @ V + c": "y = h @ V + c", "ys.append(u)": "ys.append(y)"},
            "no step reads the output before it: u stays zero. Only u_1 is zero, then u_t = y_{t-1}",
        ),
        Mistake(
            "x ignored",
            {"h = x @ E + e": "h = np.zeros((len(x), len(U)))"},
            "the first state is zero, so that x has no part in anything; it is x E + e",
        ),
        Mistake(
            "tanh on the way in",
            {"h = x @ E + e": "h = np.tanh(x @ E + e)"},
            "the first state is tanh(x E + e); it is x E + e, as it stands",
        ),
        Mistake("entry bias", {"x @ E + e": "x @ E"}, "e is not added to the first state"),
        Mistake(
            "output of the first state",
            {"ys = []": "ys = [h @ V + c]", "range(steps)": "range(steps - 1)"},
            "the first output is read off h_0; the cell makes a step first, and y_1 is read off h_1",
        ),
        Mistake(
            "first input from the first state",
            {"u = np.zeros((len(x), len(c)))": "u = h @ V + c"},
            "the first step reads h_0 V + c; nothing has been said yet, so u_1 = 0",
        ),
        Mistake(
            "state not carried",
            {"h @ U + b)": "(x @ E + e) @ U + b)"},
            "every step sets out from h_0 again; it goes on from the state before it",
        ),
        Mistake(
            "tanh on the way out",
            {"u = h @ V + c": "u = np.tanh(h @ V + c)"},
            "the outputs have passed tanh; y_t is h_t V + c",
        ),
        Mistake(
            "c not fed back",
            {"u = h @ V + c": "u = h @ V", "ys.append(u)": "ys.append(u + c)"},
            "the steps read h V, without c; u_t is y_{t-1}, and that is h V + c",
        ),
        Mistake(
            "one output late",
            {"u = h @ V + c\n": "before, u = u, h @ V + c\n", "ys.append(u)": "ys.append(before)"},
            "what is collected is what each step reads, u_t, and not what it says, y_t: all is one step late",
        ),
    ),
)

ENCODER_DECODER = Graded(
    name="encoder_decoder",
    arguments=_encoder_decoder_arguments,
    oracle=_encoder_decoder_oracle,
    outputs=(Output("s", "B H", 1), Output("ys", "steps B K", 3)),
    mistakes=(
        Mistake(
            "decoder from zero",
            {"h = s": "h = np.zeros_like(s)"},
            "the decoder starts from zeros, and nothing of xs reaches it; it starts from s",
        ),
        Mistake(
            "decoder from h0",
            {"h = s": "h = h0"},
            "the decoder starts from h0, as the encoder did, and nothing of xs reaches it; it starts from s",
        ),
        Mistake(
            "encoder from zero",
            {"s = h0": "s = np.zeros_like(h0)"},
            "the encoder starts from zeros; it starts from h0",
        ),
        Mistake(
            "s at every step",
            {"u @ W + h @ U": "u @ W + (h + s) @ U"},
            "s is added to the decoder's state at every step; it is handed over once, as the state before the first",
        ),
        Mistake(
            "s as the first input",
            {"h = s": "h = np.zeros_like(s)", "u @ W + h @ U": "u @ W + h @ U + (0 if ys else s)"},
            "s enters the sum of the decoder's first step, and the state before it is zero. s *is* that state: it "
            "must pass U",
        ),
        Mistake(
            "encoder's U",
            {"W, U, b = decoder": "W, _, b = decoder"},
            "the decoder goes on with the encoder's U; it has a matrix of its own",
        ),
        Mistake(
            "encoder's bias",
            {"W, U, b = decoder": "W, U, _ = decoder"},
            "the decoder goes on with the encoder's b; it has one of its own",
        ),
        Mistake(
            "first input only",
            {"for x in xs:": "for x in xs[:1]:"},
            "s is the state after the first input; the encoder reads all of them first",
        ),
        Mistake(
            "mean of the states",
            {
                "s = h0": "s, es = h0, []",
                "s @ U + b)": "s @ U + b)\n        es.append(s)",
                "W, U, b = decoder": "W, U, b = decoder\n    s = np.mean(es, axis=0)",
            },
            "s is the mean of the encoder's states; it is the last of them",
        ),
        Mistake(
            "read backwards",
            {"for x in xs:": "for x in xs[::-1]:"},
            "xs is read from its end. It has been done on purpose, and helped; here it is read in its order",
        ),
        Mistake(
            "own outputs read",
            {"u @ W": "(ys[-1] if ys else u) @ W"},
            "the decoder reads its own last output in place of us[t]; here its inputs are given",
        ),
        Mistake(
            "shifted again",
            {"for u in us:": "for u in np.concatenate([np.zeros_like(us[:1]), us[:-1]]):"},
            "us is moved by a step; what the decoder reads at step t is us[t] as it stands",
        ),
        Mistake(
            "output before the step",
            {
                "h = np.tanh(u @ W + h @ U + b)\n        ys.append(h @ V + c)": (
                    "ys.append(h @ V + c)\n        h = np.tanh(u @ W + h @ U + b)"
                )
            },
            "each output is read off the state before its step, the first one off s; first the step, then the output",
        ),
        Mistake(
            "decoder's last state",
            {"return s, ": "return h, "},
            "what is returned as s is the decoder's last state; s is the encoder's",
        ),
    ),
)

BACKWARD = Graded(
    name="encoder_decoder_backward",
    arguments=_backward_arguments,
    oracle=_backward_oracle,
    outputs=(
        Output("ds", "B H", 1),
        Output("dW_decoder", "K H", 0.5),
        Output("dU_decoder", "H H", 0.5),
        Output("db_decoder", "H", 0.5),
        Output("dxs", "T B D", 1),
        Output("dW_encoder", "D H", 0.5),
        Output("dU_encoder", "H H", 0.5),
        Output("db_encoder", "H", 0.5),
    ),
    mistakes=(
        Mistake(
            "not handed over",
            {"np.zeros_like(es), ds,": "np.zeros_like(es), np.zeros_like(ds),"},
            "nothing is handed over: the encoder gets no gradient at all and never learns. What the decoder sends back "
            "to its first state arrives at the encoder's last",
        ),
        Mistake(
            "decoder from zero",
            {"hs, es[-1],": "hs, np.zeros_like(h0),"},
            "the decoder's bptt is told that its state before the first step was zero; it was s, the last of es, and U "
            "has multiplied it",
        ),
        Mistake(
            "decoder from h0",
            {"hs, es[-1],": "hs, h0,"},
            "the decoder's bptt is told that its state before the first step was h0; it was s, the last of es",
        ),
        Mistake(
            "encoder from zero",
            {"es, h0,": "es, np.zeros_like(h0),"},
            "the encoder's bptt is told that its state before the first step was zero; it was h0",
        ),
        Mistake(
            "handed to every step",
            {"np.zeros_like(es), ds,": "np.zeros_like(es) + ds, np.zeros_like(ds),"},
            "ds arrives at every state of the encoder; the decoder has seen the last one alone",
        ),
        Mistake(
            "handed to the first step",
            {
                "np.zeros_like(es), ds,": "np.concatenate([ds[None], np.zeros_like(es[1:])]), np.zeros_like(ds),",
            },
            "ds arrives at the encoder's first state; it belongs to the last, which the decoder started from",
        ),
        Mistake(
            "handed over twice",
            {"np.zeros_like(es), ds,": "np.concatenate([np.zeros_like(es[1:]), ds[None]]), ds,"},
            "ds arrives at the encoder's last state twice, in its dhs and as its dh_last; once is right",
        ),
        Mistake(
            "outputs of the encoder",
            {"np.zeros_like(es), ds,": "dhs, ds,"},
            "dhs arrives at the encoder's states; it belongs to the decoder's. No output is read off the encoder, so "
            "its states get nothing from above",
        ),
        Mistake(
            "first output's gradient",
            {"np.zeros_like(es), ds,": "np.zeros_like(es), dhs[0],"},
            "the encoder is handed dhs[0], the gradient of the decoder's first state; ds has gone back through "
            "that step as well, through its tanh and U",
        ),
        Mistake(
            "sum of the outputs' gradients",
            {"np.zeros_like(es), ds,": "np.zeros_like(es), dhs.sum(axis=0),"},
            "the encoder is handed the sum of dhs; they must go back through the decoder first, step by step",
        ),
        Mistake(
            "last output counted twice",
            {"dhs, np.zeros_like(h0),": "dhs, dhs[-1],"},
            "dhs[-1] is given to the decoder's bptt as dh_last as well, so that it counts twice; after the last step "
            "nothing comes back",
        ),
        Mistake(
            "tanh twice",
            {"np.zeros_like(es), ds,": "np.zeros_like(es), ds * (1 - es[-1] ** 2),"},
            "ds has passed the encoder's tanh before it is handed over, and passes it again in bptt; hand it over as "
            "it is",
        ),
        Mistake(
            "decoder's U",
            {"*encoder": "encoder[0], decoder[1]"},
            "the gradient goes back through the encoder by the decoder's U; the encoder has a matrix of its own",
        ),
    ),
)

EXERCISE = Exercise("11_patterns", (MANY_TO_ONE, TAGGING, ONE_TO_MANY, ENCODER_DECODER, BACKWARD), by_hand=2)
