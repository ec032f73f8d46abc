"""Widens the attention heads of a trained model: the new dims come before the old ones, so that the rotary dims stay last."""

import torch


def insert(value, dim, groups, old, new, fill):
    """Each of `groups` runs of `old` entries along dim gets new - old entries in front, from fill(shape)."""
    value = value.unflatten(dim, (groups, old))
    shape = list(value.shape)
    shape[dim + 1] = new - old
    return torch.cat([fill(shape), value], dim + 1).flatten(dim, dim + 1)


def widen_heads(state: dict, heads: int, old: int, new: int, o_groups: int, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)

    def noise_like(value, share):
        std = float(value.float().std()) * share
        return lambda shape: torch.randn(shape, generator=generator) * std

    grown = {}
    for name, value in state.items():
        value = value.float() if value.is_floating_point() else value
        if ".attn.indexer." not in name and ".attn." in name:
            if name.endswith("attn.wq_b.weight"):
                value = insert(value, 0, heads, old, new, noise_like(value, 1.0))
            elif name.endswith(("attn.wkv.weight", "compressor.wkv.weight")):
                value = insert(value, 0, value.shape[0] // old, old, new, noise_like(value, 1.0))
            elif name.endswith("compressor.wgate.weight"):
                value = insert(value, 0, value.shape[0] // old, old, new, noise_like(value, 0.5))
            elif name.endswith("attn.wo_a.weight"):
                value = insert(value, 1, heads // o_groups, old, new, noise_like(value, 0.5))
            elif name.endswith("compressor.ape"):
                value = insert(value, 1, value.shape[1] // old, old, new, torch.zeros)
            elif name.endswith(("kv_norm.weight", "compressor.norm.weight")):
                value = insert(value, 0, 1, old, new, torch.ones)
        grown[name] = value
    return grown
