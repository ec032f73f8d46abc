"""Number grids of the cache and of the stored weights: FP8 E4M3 and FP4 E2M1 with power-of-two scales."""

import torch

E4M3_MAX = 448.0
E2M1_MAX = 6.0


def power_of_two_at_least(x: torch.Tensor) -> torch.Tensor:
    """2^ceil(log2(x)) for positive normal float32, exact: taken from the bits, not from a rounded logarithm."""
    bits = x.contiguous().view(torch.int32)
    exponent = (bits >> 23) + ((bits & 0x7FFFFF) != 0).to(torch.int32)
    return (exponent << 23).view(torch.float32)


def round_e4m3(x: torch.Tensor) -> torch.Tensor:
    """Nearest E4M3 value, ties to even; |x| <= 448, float32."""
    bits = x.contiguous().view(torch.int32)
    normal = ((bits + 0x7FFFF + ((bits >> 20) & 1)) & ~0xFFFFF).view(torch.float32)
    subnormal = torch.round(x * 512.0) * (1.0 / 512.0)
    return torch.where(x.abs() < 2.0**-6, subnormal, normal)


def round_e2m1(x: torch.Tensor) -> torch.Tensor:
    """Nearest E2M1 value, ties to the even code; |x| <= 6."""
    a = x.abs()
    r = torch.where(a < 2.0, torch.round(x * 2.0) * 0.5, torch.where(a < 4.0, torch.round(x), torch.round(x * 0.5) * 2.0))
    return r.clamp(-E2M1_MAX, E2M1_MAX)


def fp8_grid(x: torch.Tensor) -> torch.Tensor:
    """Cache grid: blocks of 64 along the last dim."""
    blocks = x.float().unflatten(-1, (-1, 64))
    amax = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-4)
    scale = power_of_two_at_least(amax / E4M3_MAX)
    return (round_e4m3((blocks / scale).clamp(-E4M3_MAX, E4M3_MAX)) * scale).flatten(-2).to(x.dtype)


def fp4_grid(x: torch.Tensor) -> torch.Tensor:
    """Index grid: blocks of 32 along the last dim."""
    blocks = x.float().unflatten(-1, (-1, 32))
    amax = blocks.abs().amax(-1, keepdim=True).clamp_min(E2M1_MAX * 2.0**-126)
    scale = power_of_two_at_least(amax / E2M1_MAX)
    return (round_e2m1(blocks / scale) * scale).flatten(-2).to(x.dtype)


def weight_fp8_scale(w: torch.Tensor) -> torch.Tensor:
    """[out, in] -> [ceil(out/128), ceil(in/128)] power-of-two scales."""
    out_count, in_count = w.shape
    pad_out, pad_in = -out_count % 128, -in_count % 128
    tiles = torch.nn.functional.pad(w.abs(), (0, pad_in, 0, pad_out)).unflatten(0, (-1, 128)).unflatten(2, (-1, 128))
    return power_of_two_at_least(tiles.amax((1, 3)).clamp_min(1e-6) / E4M3_MAX)


def weight_fp8(w: torch.Tensor) -> torch.Tensor:
    scale = weight_fp8_scale(w)
    full = scale.repeat_interleave(128, 0)[: w.shape[0]].repeat_interleave(128, 1)[:, : w.shape[1]]
    return round_e4m3((w / full).clamp(-E4M3_MAX, E4M3_MAX)) * full


def weight_fp4_scale(w: torch.Tensor) -> torch.Tensor:
    """[..., in] -> [..., in/32]."""
    return power_of_two_at_least(w.unflatten(-1, (-1, 32)).abs().amax(-1).clamp_min(1e-6) / E2M1_MAX)


def weight_fp4(w: torch.Tensor) -> torch.Tensor:
    scale = weight_fp4_scale(w).unsqueeze(-1)
    return (round_e2m1(w.unflatten(-1, (-1, 32)) / scale) * scale).flatten(-2)


def straight_through(grid, x: torch.Tensor) -> torch.Tensor:
    """Value of grid(x), gradient of x."""
    return x + (grid(x.detach()) - x.detach())
