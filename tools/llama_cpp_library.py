"""llama.cpp's shared libraries through ctypes: as much of its C interface as a measurement needs.

The folder holds libllama, libggml and one libggml-cpu per generation of processors, as llama.cpp's releases and the
packages of node-llama-cpp bring them (npm i -E node-llama-cpp@3.22.1 --ignore-scripts). Structures pass by value, so
their fields are those of one version; where the library's own default values do not stand where they are expected, it
is another one, and is refused.
"""

import ctypes
import pathlib
import re
import sys

CACHE_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "bf16": 30}  # ids of ggml
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
PIECE_TOKENS = 2048  # of one call
C_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int32, "u": ctypes.c_uint32, "f": ctypes.c_float, "b": ctypes.c_bool,
           "z": ctypes.c_size_t}


def fields(text):
    """"i: a b, p: c" as ctypes wants it."""
    return [(name, C_TYPES[group.split(":")[0].strip()]) for group in text.split(",")
            for name in group.split(":")[1].split()]


class ModelParams(ctypes.Structure):
    _fields_ = fields("p: devices buffer_overrides, i: gpu_layers split_mode load_mode lazy_mode main_gpu, p: "
                      "tensor_split progress progress_data kv_overrides, b: vocab_only check_tensors extra_buffers "
                      "no_host no_alloc load_mtp")


class ContextParams(ctypes.Structure):
    _fields_ = fields("u: ctx batch ubatch sequences recurrent outputs outputs_each, i: threads threads_batch kind "
                      "rope_scaling pooling attention flash_attention, f: rope_base rope_scale yarn_extension "
                      "yarn_factor yarn_fast yarn_slow, u: yarn_context, f: defrag, p: on_eval on_eval_data, i: "
                      "type_k type_v, p: abort abort_data, b: embeddings offload_kqv no_perf offload_ops "
                      "whole_window unified, p: samplers, z: sampler_count, p: other")


class Batch(ctypes.Structure):
    _fields_ = fields("i: count, p: tokens embeddings positions sequence_counts sequences logits")


class Library:
    """The libraries of a folder, with the backend that suits this processor best."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._open("libggml-base")
        ggml = self._open("libggml")
        self.llama = llama = self._open("libllama")
        self.quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        llama.llama_log_set(self.quiet, None)
        ggml.ggml_backend_load_all_from_path(str(self.folder).encode())
        llama.llama_backend_init()
        llama.llama_model_default_params.restype = ModelParams
        llama.llama_context_default_params.restype = ContextParams
        pointer = ctypes.c_void_p
        for name, result, arguments in (
                ("llama_model_load_from_file", pointer, [ctypes.c_char_p, ModelParams]),
                ("llama_init_from_model", pointer, [pointer, ContextParams]),
                ("llama_model_get_vocab", pointer, [pointer]),
                ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
                ("llama_get_memory", pointer, [pointer]),
                ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
                ("llama_memory_seq_rm", ctypes.c_bool, [pointer] + 3 * [ctypes.c_int32]),
                ("llama_decode", ctypes.c_int32, [pointer, Batch]),
                ("llama_synchronize", None, [pointer]),
                ("llama_free", None, [pointer])):
            getattr(llama, name).restype, getattr(llama, name).argtypes = result, arguments
        found = llama.llama_context_default_params()
        if (found.ctx, found.batch, found.ubatch, found.sequences, found.type_k, found.type_v) != \
                (512, 2048, 512, 1, 1, 1):
            sys.exit("another version of llama.cpp than tools/llama_cpp_library.py knows")

    def _open(self, name):
        paths = sorted(path for path in self.folder.glob(name + "*.so*") if re.match(name + r"[.v\d]*\.so", path.name))
        if not paths:
            sys.exit(f"no {name} in {self.folder}")
        return ctypes.CDLL(str(paths[0]), mode=ctypes.RTLD_GLOBAL)

    def backend(self):
        """The generation of processors whose backend was loaded."""
        maps = pathlib.Path("/proc/self/maps").read_text(encoding="utf-8")
        found = re.search(r"libggml-cpu-?(\w*)\.so", maps)
        return found.group(1) if found else "one for all"


class Model:
    def __init__(self, library, path):
        self.llama = library.llama
        params = self.llama.llama_model_default_params()
        params.gpu_layers = 0
        self.handle = self.llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            sys.exit(f"llama.cpp cannot load {path}")
        self.vocab_size = self.llama.llama_vocab_n_tokens(self.llama.llama_model_get_vocab(self.handle))


class Context:
    """One timeline of tokens."""

    def __init__(self, model, tokens_max, threads, kv, flash_attention="auto"):
        self.llama = model.llama
        params = self.llama.llama_context_default_params()
        params.ctx, params.batch, params.ubatch = tokens_max, PIECE_TOKENS, 512
        params.threads = params.threads_batch = threads
        params.type_k = params.type_v = CACHE_TYPES[kv]
        params.flash_attention = FLASH_ATTENTION[flash_attention]
        params.no_perf = True
        self.handle = self.llama.llama_init_from_model(model.handle, params)
        if not self.handle:
            sys.exit(f"llama.cpp makes no context of {tokens_max} tokens with {kv} rows")
        self.memory = self.llama.llama_get_memory(self.handle)
        self.length = 0

    def append(self, tokens):
        """Computes the logits of the last one alone."""
        for begin in range(0, len(tokens), PIECE_TOKENS):
            self._append_piece(tokens[begin:begin + PIECE_TOKENS], begin + PIECE_TOKENS >= len(tokens))
        self.llama.llama_synchronize(self.handle)

    def _append_piece(self, tokens, is_last):
        count = len(tokens)
        numbers = ctypes.c_int32 * count
        ids, positions, ones = numbers(*tokens), numbers(*range(self.length, self.length + count)), numbers(*[1] * count)
        sequence = ctypes.c_int32(0)
        sequences = (ctypes.c_void_p * count)(*[ctypes.addressof(sequence)] * count)
        logits = (ctypes.c_int8 * count)(*[0] * (count - 1), int(is_last))
        batch = Batch(count, *(ctypes.addressof(ids), None), *map(ctypes.addressof, (positions, ones, sequences, logits)))
        if self.llama.llama_decode(self.handle, batch) != 0:
            sys.exit("llama.cpp has failed to run")
        self.length += count

    def cut(self, length):
        """Forgets all tokens from the one at `length` on. Returns whether it can: some caches cannot."""
        if length == 0:
            self.llama.llama_memory_clear(self.memory, True)
        elif not self.llama.llama_memory_seq_rm(self.memory, 0, length, -1):
            return False
        self.length = length
        return True

    def close(self):
        self.llama.llama_free(self.handle)
