// A row of f32 owned by one warp or one block, held in registers between two passes over it.
//
// Who owns a row follows from its width alone, so that a row's sum has one order: thread `rank` of a team of kTeam holds the values
// 4 (i kTeam + rank) .. + 3 for i = 0, 1, ...; it adds them in four chains (value mod 4), the chains as (0 + 1) + (2 + 3); then a butterfly over
// lanes, then warps in their order.
//
//   columns     team (threads)   pieces of 4 per thread
//   .. 1024     32 (8 rows a block)   8
//   .. 2048     128              4
//   .. 4096     256              4
//   .. 8192     512              4
//   .. 16384    512              8
//   more        512              not held: the row is read again (kVectors = 0)
#pragma once
#include "gradus/reduce.cuh"
#include "gradus/vectors.cuh"

namespace gradus {

template <int kTeam>
struct Team {
  static constexpr int kThreads = kTeam == 32 ? 256 : kTeam;
  static constexpr int kRows = kThreads / kTeam;

  GRADUS_DEVICE static uint32_t rank() { return threadIdx.x & (kTeam - 1); }
  GRADUS_DEVICE static uint64_t row() { return static_cast<uint64_t>(blockIdx.x) * kRows + threadIdx.x / kTeam; }
  // All threads of the team get the sum.
  GRADUS_DEVICE static float sum(float x, float* scratch) {
    if constexpr (kTeam == 32) {
      return warp_sum(x);
    } else {
      return block_sum<kTeam>(x, scratch);
    }
  }
};

// The piece of four at column c of a row of `cols`; 0 behind the row's end.
template <class T>
GRADUS_DEVICE float4 load_piece(const T* row, uint32_t c, uint32_t cols) {
  if (c + 4 <= cols) return load4(row + c);
  return c < cols ? load_part(row + c, cols - c) : make_float4(0.f, 0.f, 0.f, 0.f);
}
template <class T>
GRADUS_DEVICE void store_piece(T* row, uint32_t c, uint32_t cols, float4 v) {
  if (c + 4 <= cols) {
    store4(row + c, v);
  } else if (c < cols) {
    store_part(row + c, v, cols - c);
  }
}
// As load_piece, of a vector that all rows share: cached.
GRADUS_DEVICE float4 load_shared_piece(const float* vector, uint32_t c, uint32_t cols) {
  if (c + 4 <= cols) return load16f(vector + c);
  return c < cols ? load_part(vector + c, cols - c) : make_float4(0.f, 0.f, 0.f, 0.f);
}

// A team's row. `get(i)` is the thread's i-th piece of `pieces()`, at column `column(i)`.
template <int kTeam, int kVectors>
struct TeamRow {
  float4 v[kVectors];

  // All whole pieces are asked for before anything waits; the ragged end, one thread's business, comes after.
  GRADUS_DEVICE TeamRow(const float* row, uint32_t cols) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const uint32_t c = column(i);
      v[i] = c + 4 <= cols ? load4(row + c) : make_float4(0.f, 0.f, 0.f, 0.f);
    }
    if ((cols & 3) != 0) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        const uint32_t c = column(i);
        if (c < cols && c + 4 > cols) v[i] = load_part(row + c, cols - c);
      }
    }
  }
  GRADUS_DEVICE static uint32_t column(int i) { return 4 * (static_cast<uint32_t>(i) * kTeam + Team<kTeam>::rank()); }
  GRADUS_DEVICE int pieces() const { return kVectors; }
  GRADUS_DEVICE float4 get(int i) const { return v[i]; }
  // Replaces a piece, whose new value the caller also stored in a row of memory; then names that row.
  GRADUS_DEVICE void replace(int i, float4 value) { v[i] = value; }
  GRADUS_DEVICE void moved_to(const float*) {}
};

// A row too wide for registers: memory is its own copy.
template <int kTeam>
struct TeamRow<kTeam, 0> {
  const float* row;
  uint32_t cols;

  GRADUS_DEVICE TeamRow(const float* row, uint32_t cols) : row(row), cols(cols) {}
  GRADUS_DEVICE static uint32_t column(int i) { return 4 * (static_cast<uint32_t>(i) * kTeam + Team<kTeam>::rank()); }
  GRADUS_DEVICE int pieces() const { return static_cast<int>(ceil_div(cols, 4u * kTeam)); }
  // Not load_once: what this thread stored a moment ago is read back here.
  GRADUS_DEVICE float4 get(int i) const { return load_shared_piece(row, column(i), cols); }
  GRADUS_DEVICE void replace(int, float4) {}
  GRADUS_DEVICE void moved_to(const float* stored) { row = stored; }
};

// Four chains of fused multiply-adds.
struct Squares {
  float x = 0.f, y = 0.f, z = 0.f, w = 0.f;

  GRADUS_DEVICE void add(float4 v) {
    x = fmaf(v.x, v.x, x);
    y = fmaf(v.y, v.y, y);
    z = fmaf(v.z, v.z, z);
    w = fmaf(v.w, v.w, w);
  }
  GRADUS_DEVICE float total() const { return (x + y) + (z + w); }
};

}  // namespace gradus
