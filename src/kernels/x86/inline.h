// The files that are compiled once per instruction set include this. Everything in them lies in an
// unnamed namespace and is inlined by force, and they include no header that defines inline
// functions: a copy compiled for a wide instruction set must never be the one that the linker keeps
// for all.
#pragma once

#define KVASIR_INLINE inline __attribute__((always_inline))
#define KVASIR_LAMBDA_INLINE __attribute__((always_inline))

// Register blocks are arrays; they stay in registers only if their loops are unrolled.
#if defined(__clang__)
#define KVASIR_UNROLL _Pragma("clang loop unroll(full)")
// Not where the length is known only at run time, which is no reason to warn.
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#define KVASIR_UNROLL _Pragma("GCC unroll 16")
#endif
