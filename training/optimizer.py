"""Muon for the matrices, Adam for the rest. Masters are float32; the model itself always holds the stored (rounded) values, so
gradients are taken at exactly the weights that will be exported (straight-through)."""

import torch

from checkpoint import stored_value

ADAM_RATES = (("embed.", 0.006), ("head.weight", 0.003), ("_fn", 0.002), ("gate.weight", 0.002), ("", 0.004))
ADAM_BETAS = (0.9, 0.98)
MUON_RATE = 0.02
MUON_MOMENTUM = 0.95
MUON_DECAY = 0.02


def is_muon(name: str, value: torch.Tensor) -> bool:
    return value.dim() >= 2 and not any(k in name for k in ("embed.", "head.", "hc_", ".ape", ".gate."))


def as_matrices(name: str, value: torch.Tensor) -> torch.Tensor:
    """[count, rows, columns]: stacks are taken apart so that every matrix is made orthogonal by itself."""
    if name.endswith("w13"):
        return value.reshape(-1, value.shape[-2] // 2, value.shape[-1])
    return value.reshape(-1, value.shape[-2], value.shape[-1])


@torch.no_grad()
def orthogonal(g: torch.Tensor) -> torch.Tensor:
    """Newton-Schulz iteration on a batch of matrices, bfloat16."""
    x = g.to(torch.bfloat16)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-2, -1)
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(x.dtype)
    for _ in range(5):
        a = x @ x.transpose(-2, -1)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.transpose(-2, -1) if tall else x


class Optimizer:
    def __init__(self, model, rate_scale=1.0):
        self.rate_scale, self.step_count = rate_scale, 0
        self.slots = []
        for name, p in model.named_parameters():
            slot = {"name": name, "param": p, "master": p.detach().float().clone(), "m": torch.zeros(p.shape)}
            slot["muon"] = is_muon(name, p)
            if not slot["muon"]:
                slot["v"] = torch.zeros(p.shape)
                slot["rate"] = next(rate for key, rate in ADAM_RATES if key in name)
            self.slots.append(slot)
        self.store()

    @torch.no_grad()
    def store(self):
        for s in self.slots:
            s["param"].copy_(stored_value(s["name"], s["master"]))

    @torch.no_grad()
    def step(self, rate: float):
        """rate: the schedule's factor, 1 at the plateau."""
        self.step_count += 1
        rate *= self.rate_scale
        groups = {}
        for s in self.slots:
            g = s["param"].grad
            s["param"].grad = None
            if g is None:
                continue
            g = g.float()
            if s["muon"]:
                s["m"].lerp_(g, 1 - MUON_MOMENTUM)
                update = as_matrices(s["name"], g.lerp_(s["m"], MUON_MOMENTUM))
                groups.setdefault(update.shape[1:], []).append((s, update))
            else:
                b1, b2 = ADAM_BETAS
                s["m"].lerp_(g, 1 - b1)
                s["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                m_scale, v_scale = 1 - b1**self.step_count, 1 - b2**self.step_count
                s["master"].addcdiv_(s["m"] / m_scale, (s["v"] / v_scale).sqrt_().add_(1e-10), value=-rate * s["rate"])
        for (rows, columns), items in groups.items():
            updates = orthogonal(torch.cat([u for _, u in items])).float().split([len(u) for _, u in items])
            size = MUON_RATE * rate * max(1.0, rows / columns) ** 0.5
            for (s, _), update in zip(items, updates):
                s["master"].mul_(1 - MUON_RATE * rate * MUON_DECAY).add_(update.reshape(s["master"].shape), alpha=-size)
        self.store()

    def state(self):
        keys = ("master", "m", "v")
        return {"step": self.step_count, "slots": {s["name"]: {k: s[k] for k in keys if k in s} for s in self.slots}}

    def load(self, state):
        self.step_count = state["step"]
        for s in self.slots:
            s.update(state["slots"][s["name"]])
        self.store()
