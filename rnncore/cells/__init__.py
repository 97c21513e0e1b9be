"""Recurrent cells, one short file each. `FAMILIES` has them all, and `CELLS` maps each public name to its class."""

from typing import TYPE_CHECKING

from rnncore.cell import Cell
from rnncore.cells.antisymmetric_rnn import AntisymmetricRNN, GatedAntisymmetricRNN
from rnncore.cells.atr import ATR
from rnncore.cells.brc import BRC, NBRC
from rnncore.cells.cfc import CfC, CfCNoGate, CfCPure
from rnncore.cells.cfn import CFN
from rnncore.cells.clockwork import Clockwork
from rnncore.cells.conv_gru import ConvGRU
from rnncore.cells.conv_lstm import ConvLSTM, PeepholeConvLSTM
from rnncore.cells.cornn import CoRNN
from rnncore.cells.coupled_lstm import CoupledLSTM
from rnncore.cells.echo_state import EchoState
from rnncore.cells.elman import Elman
from rnncore.cells.eunn import EUNN
from rnncore.cells.exp_rnn import ExpRNN
from rnncore.cells.fast_rnn import FastGRNN, FastRNN
from rnncore.cells.gru import GRU, GRUOriginal
from rnncore.cells.gru_d import GRUD
from rnncore.cells.indrnn import IndRNN
from rnncore.cells.intersection_rnn import IntersectionRNN
from rnncore.cells.irnn import IRNN
from rnncore.cells.janet import JANET
from rnncore.cells.jordan import Jordan
from rnncore.cells.layer_norm import LayerNormElman, LayerNormGRU, LayerNormLSTM
from rnncore.cells.lem import LEM
from rnncore.cells.li_gru import LiGRU
from rnncore.cells.light_ru import LightRU
from rnncore.cells.lstm import LSTM
from rnncore.cells.lstm_1997 import LSTM1997
from rnncore.cells.ltc import LTC
from rnncore.cells.ltc_synapse import LTCSynapse
from rnncore.cells.mass_conserving_lstm import MCLSTM, TimeDependentMCLSTM
from rnncore.cells.memory_controller_lstm import MemoryControllerLSTM
from rnncore.cells.mgu import MGU
from rnncore.cells.minimal_rnn import MinimalRNN
from rnncore.cells.miru import MiRU1, MiRU2
from rnncore.cells.multiplicative_lstm import MultiplicativeLSTM
from rnncore.cells.mut import MUT1, MUT2, MUT3
from rnncore.cells.nas import NAS
from rnncore.cells.ode_lstm import ODELSTM
from rnncore.cells.peephole_lstm import PeepholeLSTM
from rnncore.cells.phased_lstm import PhasedLSTM
from rnncore.cells.projected_lstm import ProjectedLSTM
from rnncore.cells.ran import RAN
from rnncore.cells.residual_lstm import ResLSTM
from rnncore.cells.rhn import RHN
from rnncore.cells.scrn import SCRN
from rnncore.cells.sgrn import SGRN
from rnncore.cells.sgu import DSGU, SGU
from rnncore.cells.star import STAR
from rnncore.cells.strongly_typed import TGRU, TLSTM, TRNN
from rnncore.cells.tau_gru import TauGRU
from rnncore.cells.ugrnn import UGRNN
from rnncore.cells.unicornn import UnICORNN
from rnncore.cells.unitary_rnn import UnitaryRNN
from rnncore.cells.working_memory_lstm import WMCLSTM

FAMILIES: dict[str, list[type[Cell]]] = {
    "no gate": [Elman, Jordan, IRNN, IndRNN, LayerNormElman, SCRN, Clockwork, EchoState, FastRNN, MiRU2],
    "turning": [UnitaryRNN, EUNN, ExpRNN, AntisymmetricRNN, GatedAntisymmetricRNN, CoRNN, UnICORNN, LEM],
    "LSTM": [
        LSTM,
        LSTM1997,
        PeepholeLSTM,
        CoupledLSTM,
        ProjectedLSTM,
        LayerNormLSTM,
        ResLSTM,
        WMCLSTM,
        MemoryControllerLSTM,
        MultiplicativeLSTM,
        MCLSTM,
        TimeDependentMCLSTM,
        NAS,
    ],
    "GRU": [
        GRU,
        GRUOriginal,
        LayerNormGRU,
        MUT1,
        MUT2,
        MUT3,
        MGU,
        MiRU1,
        LiGRU,
        UGRNN,
        JANET,
        FastGRNN,
        IntersectionRNN,
        RHN,
        TauGRU,
        BRC,
        NBRC,
        SGU,
        DSGU,
    ],
    "new from input": [MinimalRNN, LightRU, STAR, SGRN, ATR, RAN, CFN, TRNN, TGRU, TLSTM],
    "time passes": [CfC, CfCNoGate, CfCPure, LTC, LTCSynapse, PhasedLSTM, ODELSTM, GRUD],
    "images": [ConvGRU, ConvLSTM, PeepholeConvLSTM],
}
"""Every cell imported above, in one of the families that the book knows."""

CELLS: dict[str, type[Cell]] = {cell.__name__: cell for family in FAMILIES.values() for cell in family}
"""The cells of all families, by their names."""

if not TYPE_CHECKING:  # a type checker cannot follow a list that is made; without one it takes every import
    __all__ = ["CELLS", "FAMILIES", *CELLS]
