// Rotary position embedding, in place, and two relatives that share its rows.
//
//   rotate              pairs (a, b) of a head become (a cos - b sin, b cos + a sin) of their row's position
//   scale_rows          x[r] *= factors[r]
//   norm_and_rotate     RMS norm of each head (query heads by one weight, key heads by another), then rotate: one pass instead of three
//
// x [rows, heads * head_dim] bf16; the first 2 half values of a head are rotated, the rest stays (and rotate does not touch it).
// table [positions][cosines, sines][half] f32; positions [rows] u32. A position outside the table turns its row's pairs into NaN: positions are
// checked on the host where they are made, and a wrong one must neither read past the table nor become a number.
// Arithmetic f32, second product fused, rounded once to bf16. norm_and_rotate does not round in between; its sum of squares has the order
// of rms_norm_heads (a chain of 8 per lane, a butterfly over 8, 16 or 32 lanes).
// A thread owns eight pairs of four heads, or eight values of four heads. A head's bits depend on the head, its weight and its position alone.
//
// Bytes per rotated value, the floor: 2 + 2, and 8 half per row of the table, which the second cache serves; scale_rows 2 + 2;
// norm_and_rotate 2 + 2.
#include "gradus/reduce.cuh"
#include "gradus/vectors.cuh"

struct RotateParams {
  bf16* x;
  const float* table;
  const uint32_t* positions;
  uint64_t stride;
  uint64_t rows;
  uint32_t table_positions;
  uint32_t half;
  uint32_t head_dim;
  uint32_t heads;
  uint32_t interleaved;
  uint32_t unused;
};
static_assert(sizeof(RotateParams) == 64 && offsetof(RotateParams, table_positions) == 40 && offsetof(RotateParams, interleaved) == 56,
              "as RotateParams in device.rs");

struct ScaleRowsParams {
  bf16* x;
  const float* factors;
  uint64_t stride;
  uint64_t rows;
  uint32_t cols;
  uint32_t unused;
};
static_assert(sizeof(ScaleRowsParams) == 40 && offsetof(ScaleRowsParams, cols) == 32, "as ScaleRowsParams in device.rs");

struct NormAndRotateParams {
  bf16* x;
  const float* q_weight;
  const float* k_weight;
  const float* table;
  const uint32_t* positions;
  uint64_t stride;
  uint64_t rows;
  uint32_t q_heads;
  uint32_t heads;
  uint32_t head_dim;
  uint32_t half;
  uint32_t table_positions;
  float eps;
  uint32_t one_plus_weight;
  uint32_t unused;
};
static_assert(sizeof(NormAndRotateParams) == 88 && offsetof(NormAndRotateParams, q_heads) == 56 && offsetof(NormAndRotateParams, eps) == 76,
              "as NormAndRotateParams in device.rs");

// Eight cosines and their sines.
struct Turn {
  Eight cos, sin;
};
__device__ __forceinline__ Turn load_turn(const float* table, uint32_t table_positions, uint32_t half, uint32_t position, uint32_t pair) {
  if (position >= table_positions) {
    const float nan = bits_float(0x7fc00000u);
    const Eight bad{{nan, nan, nan, nan, nan, nan, nan, nan}};
    return Turn{bad, bad};
  }
  const float* const cos = table + static_cast<uint64_t>(position) * 2 * half + pair;
  return Turn{load8_shared(cos), load8_shared(cos + half)};
}

// Value i turns with value i + half. half and head_dim are multiples of 8.
__device__ __forceinline__ void rotate_half_split(const RotateParams& p) {
  constexpr uint32_t kHeads = 4;
  const uint32_t chunks = p.half / 8;
  const UnitCursor cursor(chunks * ceil_div(p.heads, kHeads), 256);
  uint32_t unit;
  const uint64_t row = cursor.locate(threadIdx.x, unit);
  if (row >= p.rows) return;
  const uint32_t group = unit / chunks, pair = 8 * (unit - group * chunks), first = group * kHeads;
  bf16* const x = p.x + row * p.stride + static_cast<uint64_t>(first) * p.head_dim + pair;
  uint4 a[kHeads], b[kHeads];
#pragma unroll
  for (uint32_t h = 0; h < kHeads; ++h) {
    const bool here = first + h < p.heads;
    a[h] = here ? load16_once(x + h * p.head_dim) : make_uint4(0, 0, 0, 0);
    b[h] = here ? load16_once(x + h * p.head_dim + p.half) : make_uint4(0, 0, 0, 0);
  }
  const Turn turn = load_turn(p.table, p.table_positions, p.half, p.positions[row], pair);
#pragma unroll
  for (uint32_t h = 0; h < kHeads; ++h) {
    if (first + h >= p.heads) break;
    Eight u = unpack8(a[h]), v = unpack8(b[h]);
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const float from_a = u.v[k], from_b = v.v[k];
      u.v[k] = fmaf(from_a, turn.cos.v[k], -(from_b * turn.sin.v[k]));
      v.v[k] = fmaf(from_b, turn.cos.v[k], from_a * turn.sin.v[k]);
    }
    store16(x + h * p.head_dim, pack8(u));
    store16(x + h * p.head_dim + p.half, pack8(v));
  }
}

// One pair of any layout and size.
__device__ __forceinline__ void rotate_pair(const RotateParams& p) {
  const UnitCursor cursor(p.half * p.heads, 256);
  uint32_t unit;
  const uint64_t row = cursor.locate(threadIdx.x, unit);
  if (row >= p.rows) return;
  const uint32_t head = unit / p.half, pair = unit - head * p.half, position = p.positions[row];
  bf16* const x = p.x + row * p.stride + static_cast<uint64_t>(head) * p.head_dim;
  bf16* const a = x + (p.interleaved != 0 ? 2 * pair : pair);
  bf16* const b = p.interleaved != 0 ? a + 1 : a + p.half;
  float cos = bits_float(0x7fc00000u), sin = cos;
  if (position < p.table_positions) {
    const float* const turn = p.table + static_cast<uint64_t>(position) * 2 * p.half + pair;
    cos = turn[0];
    sin = turn[p.half];
  }
  const float u = to_float(*a), v = to_float(*b);
  *a = to_bf16(fmaf(u, cos, -(v * sin)));
  *b = to_bf16(fmaf(v, cos, u * sin));
}

GRADUS_KERNEL(rotate_half_split, RotateParams, 256, 3) { rotate_half_split(p); }
GRADUS_KERNEL(rotate_any, RotateParams, 256, 4) { rotate_pair(p); }

GRADUS_KERNEL(scale_rows, ScaleRowsParams, 256, 5) {
  constexpr uint32_t kUnits = 4, kThreads = 256;
  const UnitCursor cursor((p.cols + 7) / 8, kUnits * kThreads);
  uint4 v[kUnits];
  float factor[kUnits];
  bf16* x[kUnits];
  uint32_t part[kUnits];
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    uint32_t unit;
    const uint64_t row = cursor.locate(i * kThreads + threadIdx.x, unit);
    part[i] = 0;
    v[i] = make_uint4(0, 0, 0, 0);
    if (row >= p.rows) continue;
    const uint32_t c = 8 * unit;
    part[i] = p.cols - c < 8 ? p.cols - c : 8;
    factor[i] = p.factors[row];
    x[i] = p.x + row * p.stride + c;
    if (part[i] == 8) v[i] = load16_once(x[i]);
  }
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    if (part[i] == 8) {
      Eight e = unpack8(v[i]);
#pragma unroll
      for (int k = 0; k < 8; ++k) e.v[k] *= factor[i];
      store16(x[i], pack8(e));
    } else {
      for (uint32_t k = 0; k < part[i]; ++k) x[i][k] = to_bf16(to_float(x[i][k]) * factor[i]);
    }
  }
}

// Half split, head_dim and half multiples of 8, head_dim at most 8 kLanes. The partner of a value is in another lane of the set.
template <int kLanes>
__device__ __forceinline__ void norm_and_rotate(const NormAndRotateParams& p) {
  constexpr uint32_t kSets = 256 / kLanes, kHeads = 4;
  const UnitCursor cursor(p.heads, kSets * kHeads);
  const uint32_t set = threadIdx.x / kLanes, lane = threadIdx.x % kLanes, c = 8 * lane;
  const bool inside = c < p.head_dim, one_plus = p.one_plus_weight != 0;
  const bool low = c < p.half, turned = c < 2 * p.half;
  const uint32_t pair = low ? c : c - p.half;
  const int partner = static_cast<int>(threadIdx.x % 32 - lane + (turned ? (low ? c + p.half : c - p.half) / 8 : lane));
  bf16* at[kHeads];
  uint4 packed[kHeads];
  uint64_t rows[kHeads];
  bool query[kHeads];
#pragma unroll
  for (uint32_t j = 0; j < kHeads; ++j) {
    uint32_t head;
    rows[j] = cursor.locate(j * kSets + set, head);
    query[j] = head < p.q_heads;
    at[j] = inside && rows[j] < p.rows ? p.x + rows[j] * p.stride + static_cast<uint64_t>(head) * p.head_dim + c : nullptr;
    packed[j] = at[j] != nullptr ? load16_once(at[j]) : make_uint4(0, 0, 0, 0);
  }
#pragma unroll
  for (uint32_t j = 0; j < kHeads; ++j) {
    Eight x = unpack8(packed[j]);
    float squares = 0.f;
#pragma unroll
    for (int k = 0; k < 8; ++k) squares = fmaf(x.v[k], x.v[k], squares);
    squares = lanes_sum<kLanes>(squares);
    const float scale = 1.0f / sqrtf(squares / static_cast<float>(p.head_dim) + p.eps);
    if (at[j] != nullptr) {
      const Eight w = load8_shared((query[j] ? p.q_weight : p.k_weight) + c);
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        const float v = x.v[k] * scale;
        x.v[k] = one_plus ? fmaf(v, w.v[k], v) : v * w.v[k];
      }
    }
    Eight other;
#pragma unroll
    for (int k = 0; k < 8; ++k) other.v[k] = __shfl_sync(0xffffffffu, x.v[k], partner);
    if (at[j] == nullptr) continue;
    if (turned) {
      const Turn turn = load_turn(p.table, p.table_positions, p.half, p.positions[rows[j]], pair);
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        const float crossed = other.v[k] * turn.sin.v[k];
        x.v[k] = fmaf(x.v[k], turn.cos.v[k], low ? -crossed : crossed);
      }
    }
    store16(at[j], pack8(x));
  }
}

GRADUS_KERNEL(norm_and_rotate_64, NormAndRotateParams, 256, 3) { norm_and_rotate<8>(p); }
GRADUS_KERNEL(norm_and_rotate_128, NormAndRotateParams, 256, 3) { norm_and_rotate<16>(p); }
GRADUS_KERNEL(norm_and_rotate_256, NormAndRotateParams, 256, 3) { norm_and_rotate<32>(p); }
