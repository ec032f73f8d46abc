"""A llama GGUF file in float64: the plainest forward pass, to measure others by.

Weights are decoded by `gguf` and kept as float64, eight bytes each.
"""

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize


class LlamaReference:
    """One timeline of tokens; append() returns the logits of its tokens, [tokens, vocabulary]."""

    def __init__(self, path):
        reader = GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        value = {name: field.contents() for name, field in reader.fields.items() if name.startswith("llama.")}
        self.layer_count = value["llama.block_count"]
        self.head_count = value["llama.attention.head_count"]
        self.kv_head_count = value["llama.attention.head_count_kv"]
        self.epsilon = value["llama.attention.layer_norm_rms_epsilon"]
        self.rope_base = value["llama.rope.freq_base"]
        self.weights = {}
        self.embedding = self.weight("token_embd")
        self.forget()

    def forget(self):
        self.keys = [None] * self.layer_count
        self.values = [None] * self.layer_count
        self.length = 0

    def weight(self, name):
        if name not in self.weights:
            tensor = self.tensors[name + ".weight"]
            self.weights[name] = dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
        return self.weights[name]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * self.weight(name)

    def turn(self, x):
        """Rope over x [tokens, heads, width]; its pairs lie side by side."""
        width = x.shape[-1]
        positions = self.length + np.arange(len(x))
        angles = positions[:, None, None] * self.rope_base ** (-np.arange(0, width, 2) / width)
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
        turned[..., 1::2] = even * np.sin(angles) + odd * np.cos(angles)
        return turned

    def attention(self, x, layer):
        count = len(x)
        name = f"blk.{layer}.attn_"
        query = self.turn((x @ self.weight(name + "q").T).reshape(count, self.head_count, -1))
        key = self.turn((x @ self.weight(name + "k").T).reshape(count, self.kv_head_count, -1))
        value = (x @ self.weight(name + "v").T).reshape(count, self.kv_head_count, -1)
        if self.length > 0:
            key = np.concatenate([self.keys[layer], key])
            value = np.concatenate([self.values[layer], value])
        self.keys[layer], self.values[layer] = key, value
        group = self.head_count // self.kv_head_count
        query = query.reshape(count, self.kv_head_count, group, -1)
        scores = np.einsum("tkgd,skd->kgts", query, key) / np.sqrt(query.shape[-1])
        hidden = np.arange(len(key)) > self.length + np.arange(count)[:, None]
        scores = np.where(hidden, -np.inf, scores)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("kgts,skd->tkgd", weights, value).reshape(count, -1)
        return mixed @ self.weight(name + "output").T

    def mlp(self, x, layer):
        name = f"blk.{layer}.ffn_"
        gate = x @ self.weight(name + "gate").T
        return (gate / (1 + np.exp(-gate)) * (x @ self.weight(name + "up").T)) @ self.weight(name + "down").T

    def append(self, ids):
        x = self.embedding[ids]
        for layer in range(self.layer_count):
            x = x + self.attention(self.norm(x, f"blk.{layer}.attn_norm"), layer)
            x = x + self.mlp(self.norm(x, f"blk.{layer}.ffn_norm"), layer)
        self.length += len(ids)
        head = self.weight("output") if "output.weight" in self.tensors else self.embedding
        return self.norm(x, "output_norm") @ head.T
