// Norms over rows of f32 and over heads of bf16.
//
//   rms_norm          out = x / sqrt(mean(x^2) + eps) * g            f32 -> bf16      [rows, cols]
//   layer_norm        out = (x - mean) / sqrt(var + eps) * w + b     f32 -> bf16      [rows, cols]
//   add_normed        h += factor * rms_norm(y)                      f32, f32 -> f32  [rows, cols]
//   add_normed_then_norm   the same, and out = rms_norm(h) in the same pass
//   rms_norm_heads    x = rms_norm of each group of `group` values   bf16 in place    [rows, groups * group]
//
// g is the weight w or 1 + w (as v + v w, so that 1 + w is not rounded). Weights f32, sums f32, the mean of squares is divided and rooted in
// f32 by correctly rounded operations; outputs are rounded once to their type.
// Rows of f32 belong to a warp or a block by their width alone: row_team.cuh has the order of the sum. A head belongs to 8, 16 or 32
// lanes (8 values each, in one chain; a butterfly over lanes), a wider group to a block. So a row's bits depend on the row alone.
//
// Bytes per value, the floor: rms_norm and layer_norm 4 + 2; add_normed 8 + 4; add_normed_then_norm 8 + 6; rms_norm_heads 2 + 2.
// Weights come from the caches.
#include "gradus/row_team.cuh"

struct RowNormParams {
  const float* x;
  const float* weight;
  const float* bias;  // layer_norm: may be null
  bf16* out;
  uint64_t x_stride;
  uint64_t out_stride;
  uint64_t rows;
  uint32_t cols;
  float eps;
  uint32_t one_plus_weight;
  uint32_t unused;
};
static_assert(sizeof(RowNormParams) == 72 && offsetof(RowNormParams, rows) == 48 && offsetof(RowNormParams, one_plus_weight) == 64,
              "as RowNormParams in device.rs");

struct AddNormedParams {
  const float* y;
  const float* weight;  // null: y is added as it is
  float* hidden;
  const float* next_weight;
  bf16* out;
  uint64_t y_stride;
  uint64_t hidden_stride;
  uint64_t out_stride;
  uint64_t rows;
  uint32_t cols;
  float eps;
  float factor;
  uint32_t one_plus_weight;
};
static_assert(sizeof(AddNormedParams) == 88 && offsetof(AddNormedParams, rows) == 64 && offsetof(AddNormedParams, factor) == 80,
              "as AddNormedParams in device.rs");

struct HeadNormParams {
  bf16* x;
  const float* weight;
  uint64_t stride;
  uint64_t rows;
  uint32_t groups;
  uint32_t group;
  float eps;
  uint32_t one_plus_weight;
};
static_assert(sizeof(HeadNormParams) == 48 && offsetof(HeadNormParams, groups) == 32 && offsetof(HeadNormParams, eps) == 40,
              "as HeadNormParams in device.rs");

// 1 / sqrt(mean + eps), both operations correctly rounded.
__device__ __forceinline__ float inverse_rms(float squares, uint32_t n, float eps) {
  return 1.0f / sqrtf(squares / static_cast<float>(n) + eps);
}

__device__ __forceinline__ float with_gain(float v, float w, bool one_plus) { return one_plus ? fmaf(v, w, v) : v * w; }

__device__ __forceinline__ float4 normed(float4 v, float scale, float4 w, bool one_plus) {
  return make_float4(with_gain(v.x * scale, w.x, one_plus), with_gain(v.y * scale, w.y, one_plus), with_gain(v.z * scale, w.z, one_plus),
                     with_gain(v.w * scale, w.w, one_plus));
}

template <int kTeam, int kVectors>
__device__ __forceinline__ float sum_of_squares(const TeamRow<kTeam, kVectors>& x, float* scratch) {
  Squares squares;
#pragma unroll
  for (int i = 0; i < x.pieces(); ++i) squares.add(x.get(i));
  return Team<kTeam>::sum(squares.total(), scratch);
}

template <int kTeam, int kVectors>
__device__ __forceinline__ void write_normed(const TeamRow<kTeam, kVectors>& x, float scale, const float* weight, bool one_plus, bf16* out,
                                             uint32_t cols) {
#pragma unroll
  for (int i = 0; i < x.pieces(); ++i) {
    const uint32_t c = x.column(i);
    if (c < cols) store_piece(out, c, cols, normed(x.get(i), scale, load_shared_piece(weight, c, cols), one_plus));
  }
}

template <int kTeam, int kVectors>
__device__ __forceinline__ void rms_norm_row(const RowNormParams& p) {
  __shared__ float scratch[32];
  const uint64_t row = Team<kTeam>::row();
  if (row >= p.rows) return;  // a whole team: rows of a block are its warps'
  const TeamRow<kTeam, kVectors> x(p.x + row * p.x_stride, p.cols);
  const float scale = inverse_rms(sum_of_squares(x, scratch), p.cols, p.eps);
  write_normed(x, scale, p.weight, p.one_plus_weight != 0, p.out + row * p.out_stride, p.cols);
}

// Sum of f(value) over a thread's values inside the row, four chains.
template <int kTeam, int kVectors, class F>
__device__ __forceinline__ float sum_inside(const TeamRow<kTeam, kVectors>& x, uint32_t cols, F f) {
  float4 s = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
  for (int i = 0; i < x.pieces(); ++i) {
    const uint32_t c = x.column(i);
    const float4 v = x.get(i);
    if (c < cols) s.x = f(v.x, s.x);
    if (c + 1 < cols) s.y = f(v.y, s.y);
    if (c + 2 < cols) s.z = f(v.z, s.z);
    if (c + 3 < cols) s.w = f(v.w, s.w);
  }
  return (s.x + s.y) + (s.z + s.w);
}

template <int kTeam, int kVectors>
__device__ __forceinline__ void layer_norm_row(const RowNormParams& p) {
  __shared__ float scratch[32];
  const uint64_t row = Team<kTeam>::row();
  if (row >= p.rows) return;
  const TeamRow<kTeam, kVectors> x(p.x + row * p.x_stride, p.cols);
  const float n = static_cast<float>(p.cols);
  const float mean = Team<kTeam>::sum(sum_inside(x, p.cols, [](float v, float s) { return s + v; }), scratch) / n;
  const float squares = Team<kTeam>::sum(sum_inside(x, p.cols, [mean](float v, float s) { return fmaf(v - mean, v - mean, s); }), scratch);
  const float scale = inverse_rms(squares, p.cols, p.eps);
  bf16* const out = p.out + row * p.out_stride;
#pragma unroll
  for (int i = 0; i < x.pieces(); ++i) {
    const uint32_t c = x.column(i);
    if (c >= p.cols) continue;
    const float4 v = x.get(i), w = load_shared_piece(p.weight, c, p.cols);
    float4 b = make_float4(0.f, 0.f, 0.f, 0.f);
    if (p.bias != nullptr) b = load_shared_piece(p.bias, c, p.cols);
    const float4 y = make_float4(fmaf((v.x - mean) * scale, w.x, b.x), fmaf((v.y - mean) * scale, w.y, b.y),
                                 fmaf((v.z - mean) * scale, w.z, b.z), fmaf((v.w - mean) * scale, w.w, b.w));
    store_piece(out, c, p.cols, y);
  }
}

template <int kTeam, int kVectors, bool kThenNorm>
__device__ __forceinline__ void add_normed_row(const AddNormedParams& p) {
  __shared__ float scratch[32];
  const uint64_t row = Team<kTeam>::row();
  if (row >= p.rows) return;
  float* const hidden = p.hidden + row * p.hidden_stride;
  const bool one_plus = p.one_plus_weight != 0;
  TeamRow<kTeam, kVectors> y(p.y + row * p.y_stride, p.cols);
  const TeamRow<kTeam, kVectors> h(hidden, p.cols);  // asked for before the sum waits
  float scale = 1.0f;
  if (p.weight != nullptr) scale = inverse_rms(sum_of_squares(y, scratch), p.cols, p.eps);
  Squares squares;
#pragma unroll
  for (int i = 0; i < y.pieces(); ++i) {
    const uint32_t c = y.column(i);
    float4 v = y.get(i), sum = h.get(i);
    if (p.weight != nullptr) v = normed(v, scale, load_shared_piece(p.weight, c, p.cols), one_plus);
    sum = make_float4(fmaf(p.factor, v.x, sum.x), fmaf(p.factor, v.y, sum.y), fmaf(p.factor, v.z, sum.z), fmaf(p.factor, v.w, sum.w));
    store_piece(hidden, c, p.cols, sum);
    if constexpr (kThenNorm) {
      squares.add(sum);
      y.replace(i, sum);
    }
  }
  if constexpr (kThenNorm) {
    y.moved_to(hidden);
    scale = inverse_rms(Team<kTeam>::sum(squares.total(), scratch), p.cols, p.eps);
    write_normed(y, scale, p.next_weight, one_plus, p.out + row * p.out_stride, p.cols);
  }
}

// A head of at most 8 kLanes values, a multiple of 8; every lane set takes kHeads of them, whose loads are all in flight before the first sum.
template <int kLanes>
__device__ __forceinline__ void norm_heads(const HeadNormParams& p) {
  constexpr uint32_t kSets = 256 / kLanes, kHeads = 4;
  const UnitCursor cursor(p.groups, kSets * kHeads);
  const uint32_t set = threadIdx.x / kLanes, c = 8 * (threadIdx.x % kLanes);
  const bool inside = c < p.group, one_plus = p.one_plus_weight != 0;
  bf16* at[kHeads];
  uint4 packed[kHeads];
#pragma unroll
  for (uint32_t j = 0; j < kHeads; ++j) {
    uint32_t head;
    const uint64_t row = cursor.locate(j * kSets + set, head);
    at[j] = inside && row < p.rows ? p.x + row * p.stride + static_cast<uint64_t>(head) * p.group + c : nullptr;
    packed[j] = at[j] != nullptr ? load16_once(at[j]) : make_uint4(0, 0, 0, 0);
  }
  Eight w = {};
  if (inside) w = load8_shared(p.weight + c);
#pragma unroll
  for (uint32_t j = 0; j < kHeads; ++j) {
    Eight x = unpack8(packed[j]);
    float squares = 0.f;
#pragma unroll
    for (int k = 0; k < 8; ++k) squares = fmaf(x.v[k], x.v[k], squares);
    const float scale = inverse_rms(lanes_sum<kLanes>(squares), p.group, p.eps);
#pragma unroll
    for (int k = 0; k < 8; ++k) x.v[k] = with_gain(x.v[k] * scale, w.v[k], one_plus);
    if (at[j] != nullptr) store16(at[j], pack8(x));
  }
}

// A group of any length, a block each: 16 bytes at a time where groups start at 16 bytes, else value by value.
template <int kWidth>
__device__ __forceinline__ void norm_group(const HeadNormParams& p) {
  __shared__ float scratch[8];
  const uint64_t row = blockIdx.x / p.groups;
  bf16* const x = p.x + row * p.stride + static_cast<uint64_t>(blockIdx.x % p.groups) * p.group;
  const bool one_plus = p.one_plus_weight != 0;
  float squares = 0.f;
#pragma unroll 4
  for (uint32_t c = kWidth * threadIdx.x; c < p.group; c += kWidth * 256) {
    if constexpr (kWidth == 8) {
      const Eight v = unpack8(load16(x + c));
#pragma unroll
      for (int k = 0; k < 8; ++k) squares = fmaf(v.v[k], v.v[k], squares);
    } else {
      const float v = to_float(x[c]);
      squares = fmaf(v, v, squares);
    }
  }
  const float scale = inverse_rms(block_sum<256>(squares, scratch), p.group, p.eps);
#pragma unroll 4
  for (uint32_t c = kWidth * threadIdx.x; c < p.group; c += kWidth * 256) {
    if constexpr (kWidth == 8) {
      Eight v = unpack8(load16(x + c));
      const Eight w = load8_shared(p.weight + c);
#pragma unroll
      for (int k = 0; k < 8; ++k) v.v[k] = with_gain(v.v[k] * scale, w.v[k], one_plus);
      store16(x + c, pack8(v));
    } else {
      x[c] = to_bf16(with_gain(to_float(x[c]) * scale, p.weight[c], one_plus));
    }
  }
}

// Widest row, team, pieces, blocks per SM of the plain norm and of those that hold more.
#define ROW_KERNELS(suffix, kTeam, kVectors, one, two)                                                                                      \
  GRADUS_KERNEL(rms_norm_##suffix, RowNormParams, Team<kTeam>::kThreads, one) { rms_norm_row<kTeam, kVectors>(p); }                        \
  GRADUS_KERNEL(layer_norm_##suffix, RowNormParams, Team<kTeam>::kThreads, two) { layer_norm_row<kTeam, kVectors>(p); }                    \
  GRADUS_KERNEL(add_normed_##suffix, AddNormedParams, Team<kTeam>::kThreads, two) { add_normed_row<kTeam, kVectors, false>(p); }           \
  GRADUS_KERNEL(add_normed_then_norm_##suffix, AddNormedParams, Team<kTeam>::kThreads, two) { add_normed_row<kTeam, kVectors, true>(p); }

ROW_KERNELS(1024, 32, 8, 4, 2)
ROW_KERNELS(2048, 128, 4, 8, 6)
ROW_KERNELS(4096, 256, 4, 5, 4)
ROW_KERNELS(8192, 512, 4, 3, 2)
ROW_KERNELS(16384, 512, 8, 2, 1)
ROW_KERNELS(wide, 512, 0, 2, 2)

GRADUS_KERNEL(rms_norm_heads_64, HeadNormParams, 256, 4) { norm_heads<8>(p); }
GRADUS_KERNEL(rms_norm_heads_128, HeadNormParams, 256, 4) { norm_heads<16>(p); }
GRADUS_KERNEL(rms_norm_heads_256, HeadNormParams, 256, 4) { norm_heads<32>(p); }
GRADUS_KERNEL(rms_norm_heads_wide, HeadNormParams, 256, 4) { norm_group<8>(p); }
GRADUS_KERNEL(rms_norm_heads_any, HeadNormParams, 256, 4) { norm_group<1>(p); }
