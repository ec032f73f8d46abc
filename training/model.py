"""DeepSeek-V4 architecture for training and for checking. Shapes: B sequences, T tokens (a multiple of the window),
D hidden, H heads, d head dim, r rotary dims, h residual streams, J compressed rows, E experts, F expert width.

The code is free of a fixed precision: matrices work in the dtype they are held in (bfloat16 while training, float64 when
checked against golden data); norms, softmax, hyper-connections and the router work in `wide`."""

import json
import math
from dataclasses import dataclass, fields

import torch
import torch.nn as nn
import torch.nn.functional as F

from quant import fp4_grid, fp8_grid, straight_through


@dataclass
class Config:
    vocab_size: int
    hidden_size: int
    moe_intermediate_size: int
    num_hidden_layers: int
    num_hash_layers: int
    num_attention_heads: int
    head_dim: int
    qk_rope_head_dim: int
    q_lora_rank: int
    o_groups: int
    o_lora_rank: int
    n_routed_experts: int
    num_experts_per_tok: int
    routed_scaling_factor: float
    swiglu_limit: float
    sliding_window: int
    compress_ratios: list
    compress_rope_theta: float
    rope_theta: float
    rms_norm_eps: float
    rope_scaling: dict
    index_n_heads: int
    index_head_dim: int
    index_topk: int
    hc_mult: int
    hc_sinkhorn_iters: int
    hc_eps: float

    def hca_layer_count(self) -> int:
        return sum(ratio == 128 for ratio in self.compress_ratios[: self.num_hidden_layers])

    @staticmethod
    def load(path: str) -> "Config":
        with open(path) as f:
            raw = json.load(f)
        return Config(**{f.name: raw[f.name] for f in fields(Config)})


def linear(x, weight):
    return F.linear(x.to(weight.dtype), weight)


def rms_scale(x, eps):
    return torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


def rms_norm(x, weight, eps):
    x = x.to(weight.dtype)
    return x * rms_scale(x, eps) * weight


def rope_frequencies(config: Config, ratio: int) -> torch.Tensor:
    """[r/2] float64."""
    r = config.qk_rope_head_dim
    theta = config.compress_rope_theta if ratio else config.rope_theta
    i = torch.arange(r // 2, dtype=torch.float64)
    f = theta ** (-2.0 * i / r)
    if ratio == 0:
        return f
    s = config.rope_scaling

    def corner(beta):
        return r * math.log(s["original_max_position_embeddings"] / (beta * 2 * math.pi)) / (2 * math.log(theta))

    lo = max(math.floor(corner(s["beta_fast"])), 0)
    hi = min(math.ceil(corner(s["beta_slow"])), r - 1)
    ramp = ((i - lo) / max(hi - lo, 1e-3)).clamp(0, 1)
    return f / s["factor"] * ramp + f * (1 - ramp)


def rope_table(config: Config, ratio: int, positions: torch.Tensor, dtype) -> torch.Tensor:
    """[2, positions, r/2]: cosines, sines."""
    angle = positions.double()[:, None] * rope_frequencies(config, ratio)
    return torch.stack([angle.cos(), angle.sin()]).to(dtype)


def rotate(x, table):
    """Rotates adjacent pairs of the last r dims; x [..., rows, dims], table [2, rows, r/2]."""
    r = table.shape[-1] * 2
    plain, turned = x[..., :-r], x[..., -r:]
    even, odd = turned.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = table[0], table[1]
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)
    return torch.cat([plain, turned], -1)


def unrotate(x, table):
    return rotate(x, torch.stack([table[0], -table[1]]))


def hadamard_matrix(size: int, dtype) -> torch.Tensor:
    m = torch.ones(1, 1, dtype=torch.float64)
    while m.shape[0] < size:
        m = torch.cat([torch.cat([m, m], 1), torch.cat([m, -m], 1)], 0)
    return (m / math.sqrt(size)).to(dtype)


def row_grid(x, r):
    """Native cache row: FP8 grid on the first dims, BF16 on the last r."""
    return torch.cat([fp8_grid(x[..., :-r]), x[..., -r:].to(torch.bfloat16).to(x.dtype)], -1)


class Sinkhorn(torch.autograd.Function):
    """[n, n, tokens] positive -> doubly stochastic by alternate division; columns are dim 1, first.
    Tokens are the last dim so that every step is one long vector operation."""

    @staticmethod
    def forward(ctx, c, iters, eps):
        saved = []

        def divide(c, dim):
            inverse = 1.0 / (c.sum(dim, keepdim=True) + eps)
            c = c * inverse
            saved.extend((c, inverse))
            return c

        c = divide(c, 0)
        for _ in range(iters - 1):
            c = divide(divide(c, 1), 0)
        ctx.save_for_backward(*saved)
        return c

    @staticmethod
    def backward(ctx, grad):
        saved = ctx.saved_tensors
        dim = 0
        for k in range(len(saved) - 2, -1, -2):
            c, inverse = saved[k], saved[k + 1]
            grad = (grad - (grad * c).sum(dim, keepdim=True)) * inverse
            dim = 1 - dim
        return grad, None, None


def hyper_weights(x, fn, base, scale, config: Config, iters: int):
    """x [N, h, D] -> pre [N, h], post [N, h], combine [source h, target h, N]."""
    h = config.hc_mult
    flat = x.flatten(1)
    m = linear(flat, fn).to(x.dtype) * rms_scale(flat, config.rms_norm_eps)
    pre = torch.sigmoid(m[:, :h] * scale[0] + base[:h]) + config.hc_eps
    post = 2 * torch.sigmoid(m[:, h : 2 * h] * scale[1] + base[h : 2 * h])
    comb = (m[:, 2 * h :] * scale[2] + base[2 * h :]).t().unflatten(0, (h, h))
    comb = Sinkhorn.apply(torch.softmax(comb, 1) + config.hc_eps, iters, config.hc_eps)
    return pre, post, comb


def hyper_merge(x, out, post, comb):
    """X'_j = post_j * out + sum_i C[i,j] X_i; x [N, h, D], out [N, D]."""
    merged = post.unsqueeze(2) * out.unsqueeze(1).to(x.dtype)
    for i in range(x.shape[1]):
        merged = merged + comb[i].t().unsqueeze(2) * x[:, i : i + 1]
    return merged


def hyper_collapse(x, weights):
    """x [N, h, D], weights [N, h] -> [N, D]. Written out: a batched product of such small matrices is slower."""
    return sum(weights[:, i : i + 1] * x[:, i] for i in range(x.shape[1]))


def hyper_before(x, fn, base, scale, norm_weight, config: Config, iters: int):
    pre, post, comb = hyper_weights(x, fn, base, scale, config, iters)
    return rms_norm(hyper_collapse(x, pre), norm_weight, config.rms_norm_eps), post, comb


def pool(values, gates):
    """[..., entries, dims] -> [..., dims]: a softmax over the entries per dim weights the values."""
    return (torch.softmax(gates, -2) * values).sum(-2)


class Compressor(nn.Module):
    def __init__(self, config: Config, ratio: int, dim: int):
        super().__init__()
        width = dim * (2 if ratio == 4 else 1)
        self.ratio, self.dim, self.eps = ratio, dim, config.rms_norm_eps
        self.wkv = Matrix(width, config.hidden_size)
        self.wgate = Matrix(width, config.hidden_size)
        self.ape = nn.Parameter(torch.zeros(ratio, width))
        self.norm = Vector(dim)

    def forward(self, u):
        """u [B, T, D] -> [B, T/ratio, dim], normed, not yet rotated."""
        wide = self.ape.dtype
        v = self.wkv(u).to(wide).unflatten(1, (-1, self.ratio))
        g = self.wgate(u).to(wide).unflatten(1, (-1, self.ratio)) + self.ape
        if self.ratio == 4:
            d = self.dim
            v = torch.cat([F.pad(v[:, :-1, :, :d], (0, 0, 0, 0, 1, 0)), v[..., d:]], 2)
            g = torch.cat([F.pad(g[:, :-1, :, :d], (0, 0, 0, 0, 1, 0), value=-1e30), g[..., d:]], 2)
        return rms_norm(pool(v, g), self.norm.weight, self.eps)


class Matrix(nn.Module):
    def __init__(self, out_count, in_count):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_count, in_count))

    def forward(self, x):
        return linear(x, self.weight)


class Vector(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(count))


class Indexer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.wq_b = Matrix(config.index_n_heads * config.index_head_dim, config.q_lora_rank)
        self.weights_proj = Matrix(config.index_n_heads, config.hidden_size)
        self.compressor = Compressor(config, 4, config.index_head_dim)
        self.register_buffer("hadamard", hadamard_matrix(config.index_head_dim, torch.float64), persistent=False)

    def keys(self, u, table, native):
        """[B, T, D] -> [B, T/4, di]."""
        k = rotate(self.compressor(u), table[:, ::4])
        k = (k.to(self.wq_b.weight.dtype) @ self.hadamard.to(self.wq_b.weight.dtype)).to(table.dtype)
        return straight_through(fp4_grid, k) if native else k

    def scores(self, u, qr, keys, table, native):
        """Queries at u [B, M, D], qr [B, M, Rq], table [2, B or nothing, M, r/2]; scores [B, M, J] of every row, causal or not."""
        c, dt = self.config, self.wq_b.weight.dtype
        q = rotate(self.wq_b(qr).unflatten(2, (c.index_n_heads, -1)).to(table.dtype), table.unsqueeze(-2))
        q = (q.to(dt) @ self.hadamard.to(dt)).to(table.dtype)
        if native:
            q = straight_through(fp4_grid, q)
        a = self.weights_proj(u).to(table.dtype) * (c.index_head_dim * c.index_n_heads) ** -0.5
        s = torch.relu(q.to(dt).flatten(1, 2) @ keys.to(dt).transpose(1, 2)).unflatten(1, q.shape[1:3])  # [B, M, Hi, J]
        return (s.to(table.dtype) * a.unsqueeze(3)).sum(2)


class Attention(nn.Module):
    def __init__(self, config: Config, layer: int):
        super().__init__()
        c = config
        self.config, self.ratio = c, c.compress_ratios[layer]
        heads, d = c.num_attention_heads, c.head_dim
        self.wq_a = Matrix(c.q_lora_rank, c.hidden_size)
        self.q_norm = Vector(c.q_lora_rank)
        self.wq_b = Matrix(heads * d, c.q_lora_rank)
        self.wkv = Matrix(d, c.hidden_size)
        self.kv_norm = Vector(d)
        self.wo_a = Matrix(c.o_groups * c.o_lora_rank, heads * d // c.o_groups)
        self.wo_b = Matrix(c.hidden_size, c.o_groups * c.o_lora_rank)
        self.attn_sink = nn.Parameter(torch.zeros(heads))
        if self.ratio:
            self.compressor = Compressor(c, self.ratio, d)
        if self.ratio == 4:
            self.indexer = Indexer(c)

    def forward(self, u, table, native, exact_top_k, record=None, lesson=None, past=0):
        """u [B, T, D] normed -> ([B, T, D], what the lesson measured or None). past: which of the lesson's past rows are this
        layer's."""
        c, w = self.config, self.config.sliding_window
        wide, dt = table.dtype, self.wq_b.weight.dtype
        batch, tokens, _ = u.shape
        heads, d = c.num_attention_heads, c.head_dim
        qr = rms_norm(self.wq_a(u), self.q_norm.weight, c.rms_norm_eps)
        q = self.wq_b(qr).to(wide).unflatten(2, (heads, d)).transpose(1, 2)  # [B, H, T, d]
        q = (rotate(q * rms_scale(q, c.rms_norm_eps), table) * d**-0.5).to(dt)
        kv = rotate(rms_norm(self.wkv(u), self.kv_norm.weight, c.rms_norm_eps), table)
        r = c.qk_rope_head_dim
        if native:
            kv = straight_through(lambda x: row_grid(x, r), kv)
        kv = kv.to(dt)

        # Raw rows: queries in blocks of one window see the block before and their own.
        blocks = tokens // w
        own = kv.unflatten(1, (blocks, w))
        pair = torch.cat([F.pad(own[:, :-1], (0, 0, 0, 0, 1, 0)), own], 2)  # [B, n, 2w, d]
        q_blocks = q.unflatten(2, (blocks, w)).permute(0, 2, 1, 3, 4).flatten(2, 3)  # [B, n, H*w, d]
        raw = (q_blocks @ pair.transpose(2, 3)).to(wide).unflatten(2, (heads, w))  # [B, n, H, w, 2w]
        raw = raw + window_mask(blocks, w, wide)
        scores, measured = [raw], None
        if self.ratio:
            rows = self.compressor(u)
            own_table = table[:, :: self.ratio]
            past_count = 0
            if self.ratio == 128 and lesson is not None:
                measured = rows.detach()
                past_count = lesson.past_rows.shape[1]
                rows = torch.cat([lesson.past_rows[past].expand(batch, -1, -1).to(wide), rows], 1)
                own_table = torch.cat([lesson.past_table, own_table], 1)
            rows = rotate(rows, own_table)
            if native:
                rows = straight_through(lambda x: row_grid(x, r), rows)
            if record is not None:
                record["rows"] = rows
            rows = rows.to(dt)
            far = (q.flatten(1, 2) @ rows.transpose(1, 2)).to(wide).unflatten(1, (heads, tokens))  # [B, H, T, J]
            hidden = hidden_rows(tokens, self.ratio)
            if past_count:
                unseen = torch.arange(past_count) >= lesson.past_visible
                hidden = torch.cat([unseen.expand(tokens, -1), hidden], 1)
            if self.ratio == 4:
                keys = self.indexer.keys(u.detach(), table, native)
                if record is not None:
                    record["keys"] = keys
                if lesson is not None:
                    measured = self.learn(u.detach(), qr.detach(), keys, far, table, native, hidden, lesson)
                if lesson is None or lesson.sparse:
                    with torch.no_grad():
                        index_scores = self.indexer.scores(u, qr, keys, table, native)
                    hidden = unpicked_rows(index_scores, hidden, c.index_topk, exact_top_k).unsqueeze(1)
            far = far.masked_fill(hidden, -1e30)
            scores.append(far.unflatten(2, (blocks, w)).transpose(1, 2))
        sink = self.attn_sink.view(1, 1, heads, 1, 1).expand(batch, blocks, heads, w, 1)
        p = torch.softmax(torch.cat(scores + [sink], -1), -1).to(dt)
        out = p[..., : 2 * w].flatten(2, 3) @ pair  # [B, n, H*w, d]
        out = out.unflatten(2, (heads, w)).transpose(1, 2).flatten(2, 3)  # [B, H, T, d]
        if self.ratio:
            p_far = p[..., 2 * w : -1].transpose(1, 2).flatten(1, 3)  # [B, H*T, J]
            out = out + (p_far @ rows).unflatten(1, (heads, tokens))
        out = unrotate(out.to(wide), table).to(dt)
        # Group g takes heads g*H/G .. : [B, T, G, H*d/G]
        out = out.transpose(1, 2).flatten(2).unflatten(2, (c.o_groups, -1))
        out = torch.einsum("btgi,goi->btgo", out, self.wo_a.weight.unflatten(0, (c.o_groups, -1)))
        return self.wo_b(out.flatten(2)), measured

    def learn(self, u, qr, keys, far, table, native, hidden, lesson):
        """At the lesson's queries: KL of the indexer's choice from the head-averaged attention over compressed rows, and the share
        of that attention on the rows that hold the answer. far [B, H, T, J] -> ([B, M], [B, M])."""
        batch = torch.arange(u.shape[0]).unsqueeze(1)
        at = lesson.queries
        hidden = hidden[at]  # [B, M, J]
        attention = far.transpose(1, 2)[batch, at].masked_fill(hidden.unsqueeze(2), -1e30).softmax(-1).mean(2)  # [B, M, J]
        scores = self.indexer.scores(u[batch, at], qr[batch, at], keys, table[:, at], native)
        log_q = torch.log_softmax(scores.masked_fill(hidden, -1e30), -1)
        target = attention.detach()
        loss = (target * (torch.log(target + 1e-9) - log_q.masked_fill(hidden, 0.0))).sum(-1)
        rows = torch.arange(far.shape[-1])
        answers = (rows >= lesson.row_begin.unsqueeze(2)) & (rows < lesson.row_end.unsqueeze(2))
        return loss, (attention * answers).sum(-1)


@dataclass
class Lesson:
    """Where the indexer is taught: queries [B, M]; the rows that hold the answer, [row_begin, row_end) each [B, M], may be none.
    `sparse`: attention runs on the indexer's choice, else on all rows.
    past_rows [HCA layers, P, d]: rows that HCA layers pooled from other text, unrotated; the first past_visible of them are seen as
    if that text came before, at the positions of past_table. Long contexts cost no long documents so."""

    queries: torch.Tensor
    row_begin: torch.Tensor
    row_end: torch.Tensor
    sparse: bool
    past_rows: torch.Tensor
    past_table: torch.Tensor
    past_visible: torch.Tensor

    @staticmethod
    def anywhere(config: Config, batch: int, tokens: int, queries: int) -> "Lesson":
        """Random queries of no question, and no past."""
        none = torch.zeros(batch, queries, dtype=torch.int64)
        at = torch.randint(8, tokens, (batch, queries))  # the first rows leave no choice
        table = torch.zeros(2, 0, config.qk_rope_head_dim // 2)
        return Lesson(at, none, none, True, torch.zeros(config.hca_layer_count(), 0, config.head_dim), table, torch.tensor(0))


def window_mask(blocks, w, dtype):
    """[n, 1, w, 2w] additive: query i of a block sees keys i+1 .. i+w of the pair; the first block has no block before."""
    i, j = torch.arange(w)[:, None], torch.arange(2 * w)[None]
    seen = (j > i) & (j <= i + w)
    first = seen & (j >= w)
    seen = torch.stack([first] + [seen] * (blocks - 1)).unsqueeze(1)
    return torch.where(seen, 0.0, -1e30).to(dtype)


def hidden_rows(tokens, ratio):
    """[T, J] true where the row is not complete yet: visible count at t is floor((t+1)/ratio)."""
    t, j = torch.arange(tokens)[:, None], torch.arange(tokens // ratio)[None]
    return j >= (t + 1) // ratio


def unpicked_rows(scores, hidden, top_k, exact):
    """[B, T, J] true where the row is hidden or not among the top_k. `exact`: ties go to the lower row."""
    if scores.shape[-1] <= top_k:
        return hidden.unsqueeze(0)
    scores = scores.masked_fill(hidden, -torch.inf)
    if exact:
        order = torch.sort(scores, dim=-1, descending=True, stable=True).indices[..., :top_k]
    else:
        order = torch.topk(scores, top_k, dim=-1, sorted=False).indices
    unpicked = torch.ones_like(scores, dtype=torch.bool).scatter_(-1, order, False)
    return unpicked | hidden


class Experts(nn.Module):
    """Routed experts as stacks: w13 [E, 2F, D] (gate over up), w2 [E, D, F]."""

    def __init__(self, config: Config):
        super().__init__()
        c = config
        self.w13 = nn.Parameter(torch.empty(c.n_routed_experts, 2 * c.moe_intermediate_size, c.hidden_size))
        self.w2 = nn.Parameter(torch.empty(c.n_routed_experts, c.hidden_size, c.moe_intermediate_size))


def swiglu(gate_up, weight, limit, wide, narrow):
    gate, up = gate_up.to(wide).chunk(2, -1)
    return (F.silu(gate.clamp(max=limit)) * up.clamp(-limit, limit) * weight).to(narrow)


class FeedForward(nn.Module):
    def __init__(self, config: Config, layer: int):
        super().__init__()
        c = config
        self.config, self.hashed = c, layer < c.num_hash_layers
        self.gate = nn.Module()
        self.gate.weight = nn.Parameter(torch.empty(c.n_routed_experts, c.hidden_size))
        if self.hashed:
            self.gate.register_buffer("tid2eid", torch.zeros(c.vocab_size, c.num_experts_per_tok, dtype=torch.int64))
        else:
            self.gate.register_buffer("bias", torch.zeros(c.n_routed_experts))
        self.experts = Experts(c)
        self.shared_experts = nn.Module()
        self.shared_experts.w13 = nn.Parameter(torch.empty(2 * c.moe_intermediate_size, c.hidden_size))
        self.shared_experts.w2 = nn.Parameter(torch.empty(c.hidden_size, c.moe_intermediate_size))
        self.load = None

    def forward(self, u, tokens):
        """u [N, D] normed, tokens [N] -> [N, D]."""
        c, e = self.config, self.config.num_experts_per_tok
        wide, dt = u.dtype, self.experts.w2.dtype
        p = torch.sqrt(F.softplus(F.linear(u, self.gate.weight.to(wide))))  # [N, E]
        if self.hashed:
            picked = self.gate.tid2eid[tokens]
        else:
            picked = torch.topk(p.detach() + self.gate.bias, e, dim=-1).indices
        weight = p.gather(1, picked)
        weight = weight / weight.sum(1, keepdim=True) * c.routed_scaling_factor
        order = torch.argsort(picked.flatten(), stable=True)
        counts = torch.bincount(picked.flatten(), minlength=c.n_routed_experts)
        self.load = counts
        source = order // e
        x = u.to(dt)
        parts = x[source].split(counts.tolist())
        hidden = torch.cat([F.linear(part, w) for part, w in zip(parts, self.experts.w13)])
        hidden = swiglu(hidden, weight.flatten()[order].unsqueeze(1), c.swiglu_limit, wide, dt)
        parts = hidden.split(counts.tolist())
        routed = torch.cat([F.linear(part, w) for part, w in zip(parts, self.experts.w2)])
        hidden = swiglu(F.linear(x, self.shared_experts.w13), 1.0, c.swiglu_limit, wide, dt)
        shared = F.linear(hidden, self.shared_experts.w2).to(wide)
        return shared.index_add(0, source, routed.to(wide))


class Block(nn.Module):
    def __init__(self, config: Config, layer: int):
        super().__init__()
        c, h = config, config.hc_mult
        self.config = c
        for name in ("hc_attn", "hc_ffn"):
            setattr(self, name + "_fn", nn.Parameter(torch.empty((2 + h) * h, h * c.hidden_size)))
            setattr(self, name + "_base", nn.Parameter(torch.zeros((2 + h) * h)))
            setattr(self, name + "_scale", nn.Parameter(torch.ones(3)))
        self.attn_norm = Vector(c.hidden_size)
        self.attn = Attention(c, layer)
        self.ffn_norm = Vector(c.hidden_size)
        self.ffn = FeedForward(c, layer)

    def before(self, x, name, norm, iters):
        fn, base, scale = (getattr(self, f"{name}_{k}") for k in ("fn", "base", "scale"))
        return hyper_before(x, fn, base, scale, norm.weight, self.config, iters)

    def forward(self, x, tokens, table, native, exact_top_k, iters, record=None, lesson=None, past=0):
        """x [N, h, D], tokens [B, T]."""
        u, post, comb = self.before(x, "hc_attn", self.attn_norm, iters)
        out, measured = self.attn(u.unflatten(0, tokens.shape), table, native, exact_top_k, record, lesson, past)
        x = hyper_merge(x, out.flatten(0, 1), post, comb)
        u, post, comb = self.before(x, "hc_ffn", self.ffn_norm, iters)
        return hyper_merge(x, self.ffn(u, tokens.flatten()), post, comb), measured


class DeepseekV4(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        c, h = config, config.hc_mult
        self.config = c
        self.embed = Matrix(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Block(c, i) for i in range(c.num_hidden_layers))
        self.norm = Vector(c.hidden_size)
        self.head = Matrix(c.vocab_size, c.hidden_size)
        self.hc_head_fn = nn.Parameter(torch.empty(h, h * c.hidden_size))
        self.hc_head_base = nn.Parameter(torch.zeros(h))
        self.hc_head_scale = nn.Parameter(torch.ones(1))
        self.tables = {}

    def table(self, ratio, tokens):
        key = (bool(ratio), tokens)
        if key not in self.tables:
            self.tables[key] = rope_table(self.config, ratio, torch.arange(tokens), self.norm.weight.dtype)
        return self.tables[key]

    def forward(self, tokens, native=True, exact_top_k=True, iters=None, records=None, lesson=None, positions=None):
        """tokens [B, T], T a multiple of the window -> (normed state [B, T, D], by layer what the lesson measured: in CSA layers the
        indexer's losses and the attention on the answers, in HCA layers the pooled rows).
        positions [T]: where the compressed layers are told the tokens are; 0, 1, 2... if not given."""
        c = self.config
        iters = iters or c.hc_sinkhorn_iters
        x = self.embed.weight[tokens].to(self.norm.weight.dtype).flatten(0, 1)
        x = x.unsqueeze(1).expand(-1, c.hc_mult, -1)
        measured, past = {}, 0
        moved = None if positions is None else rope_table(c, 1, positions, self.norm.weight.dtype)
        for layer, block in enumerate(self.layers):
            ratio = c.compress_ratios[layer]
            table = moved if ratio and moved is not None else self.table(ratio, tokens.shape[1])
            record = None if records is None else records.setdefault(layer, {})
            x, more = block(x, tokens, table, native, exact_top_k, iters, record, lesson, past)
            past += ratio == 128
            if more is not None:
                measured[layer] = more
        flat = x.flatten(1)
        m = linear(flat, self.hc_head_fn).to(x.dtype) * rms_scale(flat, c.rms_norm_eps)
        a = torch.sigmoid(m * self.hc_head_scale + self.hc_head_base) + c.hc_eps
        return rms_norm(hyper_collapse(x, a), self.norm.weight, c.rms_norm_eps).unflatten(0, tokens.shape), measured

    def logits(self, tokens, **options):
        """tokens [B, any T]: padded to the window; causality keeps the padding out of what is returned."""
        count = tokens.shape[1]
        padded = F.pad(tokens, (0, -count % self.config.sliding_window))
        state, _ = self.forward(padded, **options)
        return linear(state[:, :count], self.head.weight)
