// The vectors that the loops in this folder are written in, and the marks that keep them apart.
//
// A loop here (x-inl.h) is one algorithm for every processor. It is included once per instruction
// set, into the namespace that KVASIR_ISA names, behind that set's vec_*.h and the tables in
// scale_tables.h. To bring it to another processor, write a vec_*.h with these names; x86/avx512.cc
// shows the rest.
//
//   kDotTokens kRowsAtOnce kAcrossTokens kAcrossVecs kDirectRows kBlockRows kValueHeads kValueVecs
//   kPassVecs kCodeVecs kPeakChains    how much a block sums at once: no bit depends on it
//   kLanes                          floats in a vector, 16 everywhere: so all have the same bits
//   Part kPartLanes part_of load_part broadcast_part add_parts keep_in_register    a register's
//   Vec, VecInt, Mask, FourFloats   kLanes floats; kLanes int32; which lanes; four floats. + - * /
//                                   work on floats, lane by lane
//   first_lanes(count)              a Mask, 0 <= count <= kLanes
//   zero() broadcast(x) load(p) store(p, v)
//   load(p, mask) store(p, v, mask) touch no memory of the other lanes; those load as zero
//   load_four(p) store_four(p, v)
//   fma(a, b, c)                    a * b + c, rounded once; fma_alternating: minus c in even lanes
//   max min abs square_root(float)  a maximum takes its second operand where one is not a number
//   round_to_even(a)                to whole numbers
//   scale_by_power_of_two(a, n)     a * 2^n, n whole, |n| <= 250, a in [0.5, 2]
//   select_less(a, b, x, y)         a < b ? x : y
//   select(v, mask, otherwise)
//   bits from_bits broadcast_int add_int sub_int and_bits or_bits shift_right<n> to_float to_int
//   add_int8 sub_int8 add_int16 sub_int16 shift_right_int16<n> shift_left_int16<n>
//   load_byte_lanes(p)              kLanes bytes as int32
//   look_up_sixteen(table, index)   table[index % 16]
//   load_quad(p) add_half_products  four bytes in every lane; products of halves, added exactly
//   store_tile_halves(p, v)         low halves, in the order that add_half_products meets codes
//   load_row_quads load_channel_quads even_signed_bytes odd_signed_bytes transpose_parts    rows
//                                   of signed bytes; transpose_parts moves quarters of four vectors
//   store_int store_bytes store_halves   lanes; the low byte or half of the first `count` lanes
//   first_lane(v) swap_lanes<d>(v)  lane l gets lane l ^ d
//   merge_lanes<d>(a, b)            lanes l of a where l & d is 0, of b elsewhere
//   reduce_add reduce_max           pair lanes 8 apart, then 4, 2, 1
//   reduce_add_4(a, b, c, d)        four sums, each with the bits of reduce_add; reduce_max_4
//   column_sums(m)                  of a 4 x 4 matrix in a vector
//   load_twice(p, pair_mask)        c0 c0 c1 c1 ... of kLanes / 2 floats
//   load_bf16 load_f16 load_fp8     bytes to floats, whole or the first `count`; those of load_fp8
//                                   have to be multiplied by kFp8Factor
//   load_fp4(p, table)              kLanes codes of half a byte, in an order of the set's own
//   arrange_for_fp4 restore_from_fp4    give that order to other vectors and take it back
//   load_bytes store_vec_bytes      4 * kLanes bytes. look_up_nibbles(pairs, values, target)
//   ByteSum begin_byte_sum add_byte_products end_byte_sum    exact sums of products of bytes
//   Bytes load_thirty_two load_split_nibbles broadcast_byte spread_two_bits and_bytes or_bytes
//   clear_bytes sub_bytes shift_bytes_right shift_bytes_left spread_bits look_up    32 bytes
//   load_signed_bytes signed_to_floats(bytes, out)    as floats: kLanes or `count`; all 32
//   nibbles_to_floats(bytes, values, scaled, out)     what `scaled` makes of a table's entries
//   f16_at store_scaled_bytes       scales of blocks. forget(x) hides a value from the optimiser
//
// SAME BITS: every operation above is exact or rounds once per lane, so a lane's result does not
// depend on the others.
//
// Everything in these files lies in an unnamed namespace and is inlined by force, and they include
// no header that defines inline functions: a copy compiled for a wide instruction set must never be
// the one that the linker keeps for all.
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
