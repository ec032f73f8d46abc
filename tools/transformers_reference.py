"""transformers' DeepSeek-V4 as a reference: its own float32, and the same code in float64.

transformers' modelling file fixes many steps to float32. Two float32 implementations that round
differently cannot tell which of them is off, so this runs the unchanged file with every float32 in it
replaced by float64, and reports how close each choice (of experts, of compressed rows) was.
"""

import contextlib
import copy

import torch
from transformers import modeling_rope_utils
from transformers.models.deepseek_v4 import modeling_deepseek_v4 as modeling


class _WideTorch:
    """The torch module with float32 renamed to float64."""

    float32 = torch.float64
    float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def _lowest_index_first(scores, k, dim=-1, largest=True, sorted=True):
    """top-k in which equal scores go to the lower index; torch leaves that open."""
    values, indices = torch.sort(scores, dim=dim, descending=largest, stable=True)
    return torch.return_types.topk((values.narrow(dim, 0, k), indices.narrow(dim, 0, k)))


@contextlib.contextmanager
def _replaced(owner, name, value):
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _in_float64():
    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(modeling, "torch", _WideTorch()))
        stack.enter_context(_replaced(modeling_rope_utils, "torch", _WideTorch()))
        stack.enter_context(_replaced(torch.Tensor, "float", torch.Tensor.double))
        yield


def _recompute_rope(model):
    """Frequencies were stored as float32; widening those would keep their rounding."""
    for module in model.modules():
        if not isinstance(module, modeling.DeepseekV4RotaryEmbedding):
            continue
        for label in module.layer_types:
            kind = module.rope_type[label]
            function = module.compute_default_rope_parameters
            if kind != "default":
                function = modeling_rope_utils.ROPE_INIT_FUNCTIONS[kind]
            frequencies, _ = function(module.config, layer_type=label)
            setattr(module, f"{label}_inv_freq", frequencies.double())


def _gap(scores, count):
    """How far the last chosen score lies above the first one left out, in units of the largest score.

    0 where the two are equal: index scores of 0 are, exactly, whenever no head looks at either row.
    """
    if scores.shape[-1] <= count:
        return torch.full(scores.shape[:-1], float("inf"), dtype=torch.float64)
    top = torch.topk(scores, count + 1, dim=-1).values
    scale = scores.masked_fill(scores.isinf(), 0).abs().amax(dim=-1).clamp_min(1e-30)
    gap = (top[..., count - 1] - top[..., count]) / scale
    return torch.where(top[..., count].isinf(), torch.full_like(gap, float("inf")), gap).double()


class Choices:
    """Per token: the smallest gap of any choice in any layer, and whether some choice was an exact tie."""

    def __init__(self, model, token_count):
        self.gap = torch.full((token_count,), float("inf"), dtype=torch.float64)
        self.is_tied = torch.zeros(token_count, dtype=torch.bool)
        self.handles = []
        for module in model.modules():
            if isinstance(module, modeling.DeepseekV4TopKRouter):
                self.handles.append(module.register_forward_hook(self._router))
            elif isinstance(module, modeling.DeepseekV4Indexer):
                self.handles.append(module.scorer.register_forward_hook(self._scorer(module)))

    def _take(self, gap):
        self.is_tied |= gap == 0
        self.gap = torch.minimum(self.gap, gap.masked_fill(gap == 0, float("inf")))

    def _router(self, module, _, output):
        scores = module.score_fn(output[0]) + module.e_score_correction_bias
        self._take(_gap(scores, module.top_k))

    def _scorer(self, indexer):
        def hook(_module, _inputs, scores):
            tokens, rows = scores.shape[1:]
            visible = (torch.arange(tokens) + 1) // indexer.compress_rate
            hidden = torch.arange(rows)[None] >= visible[:, None]
            self._take(_gap(scores[0].masked_fill(hidden, float("-inf")), indexer.index_topk))

        return hook

    def stop(self):
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def logits_float32(model, tokens):
    """One forward of the whole sequence, without a cache."""
    return model(tokens[None], use_cache=False).logits[0].float().numpy()


@torch.no_grad()
def logits_float32_cached(model, tokens, decoded):
    """The same through transformers' own cache: a prompt, then the last `decoded` tokens one by one."""
    result = model(tokens[None, :-decoded], use_cache=True)
    parts = [result.logits[0]]
    for token in tokens[-decoded:]:
        result = model(token[None, None], past_key_values=result.past_key_values, use_cache=True)
        parts.append(result.logits[0])
    return torch.cat(parts).float().numpy()


@torch.no_grad()
def logits_float64(model, tokens, lowest_index_first=True):
    """(logits, Choices) of the unchanged modelling code in float64."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_in_float64())
        wide = copy.deepcopy(model).double()
        wide.set_experts_implementation("eager")
        _recompute_rope(wide)
        choices = Choices(wide, len(tokens))
        if lowest_index_first:
            stack.enter_context(_replaced(torch.Tensor, "topk", _lowest_index_first))
        logits = wide(tokens[None], use_cache=False).logits[0]
        choices.stop()
        return logits.numpy(), choices
