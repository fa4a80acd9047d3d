// DoRA's factor per output feature: out[n] = magnitude[n] / || w[n] + scale * b[n] a ||, the norm over input features.
//
// w [n, k], a [rank, k], b [n, rank] bf16; magnitude, out [n] f32. Merged weights are f32, w first, then one fused multiply-add per rank with
// (scale b) as the CPU side does; squares of eight neighbouring features are a chain in f32, everything above that f64: a thread's pieces in
// order, a butterfly over lanes, warps in order. The merged matrix exists in registers only.
// A block owns eight output features, a thread eight input features of each at a time. An output depends on its own feature alone.
//
// Bytes per value of w, the floor: 2, and rank / 4 of a from the second cache (a is read once per eight features); FLOPs per value of w:
// 2 rank + 2.
#include "gradus/reduce.cuh"
#include "gradus/vectors.cuh"

struct DoraScaleParams {
  const bf16* w;
  const bf16* a;
  const bf16* b;
  const float* magnitude;
  float* out;
  uint64_t w_stride;
  uint64_t a_stride;
  uint64_t b_stride;
  uint64_t n;
  uint32_t k;
  uint32_t rank;
  float scale;
  uint32_t unused;
};
static_assert(sizeof(DoraScaleParams) == 88 && offsetof(DoraScaleParams, n) == 64 && offsetof(DoraScaleParams, scale) == 80,
              "as DoraScaleParams in device.rs");

constexpr uint32_t kFeatures = 8;

// Eight values at column c; 0 behind the row's end.
__device__ __forceinline__ Eight load8_ragged(const bf16* row, uint32_t c, uint32_t cols) {
  if (c + 8 <= cols) return unpack8(load16(row + c));
  Eight e = {};
#pragma unroll
  for (uint32_t k = 0; k < 8; ++k)
    if (c + k < cols) e.v[k] = to_float(row[c + k]);
  return e;
}

GRADUS_KERNEL(dora_scale, DoraScaleParams, 256, 2) {
  GRADUS_DYNAMIC_SMEM(float, scaled_b);  // [rank][kFeatures]
  __shared__ double scratch[8];
  const uint64_t first = static_cast<uint64_t>(blockIdx.x) * kFeatures;
  for (uint32_t i = threadIdx.x; i < p.rank * kFeatures; i += 256) {
    const uint32_t rank = i / kFeatures, feature = i % kFeatures;
    scaled_b[i] = first + feature < p.n ? p.scale * to_float(p.b[(first + feature) * p.b_stride + rank]) : 0.f;
  }
  __syncthreads();
  double squares[kFeatures] = {};
  for (uint32_t c = 8 * threadIdx.x; c < p.k; c += 8 * 256) {
    Eight merged[kFeatures];
#pragma unroll
    for (uint32_t f = 0; f < kFeatures; ++f) {
      merged[f] = Eight{};
      if (first + f < p.n) merged[f] = load8_ragged(p.w + (first + f) * p.w_stride, c, p.k);
    }
    for (uint32_t r = 0; r < p.rank; ++r) {
      const Eight a = load8_ragged(p.a + r * p.a_stride, c, p.k);
      const Eight b = load8_shared(scaled_b + r * kFeatures);
#pragma unroll
      for (uint32_t f = 0; f < kFeatures; ++f)
#pragma unroll
        for (int k = 0; k < 8; ++k) merged[f].v[k] = fmaf(b.v[f], a.v[k], merged[f].v[k]);
    }
#pragma unroll
    for (uint32_t f = 0; f < kFeatures; ++f) {
      float piece = 0.f;
#pragma unroll
      for (int k = 0; k < 8; ++k) piece = fmaf(merged[f].v[k], merged[f].v[k], piece);
      squares[f] += static_cast<double>(piece);
    }
  }
#pragma unroll
  for (uint32_t f = 0; f < kFeatures; ++f) {
    const double sum = block_sum<256>(squares[f], scratch);
    if (threadIdx.x == f && first + f < p.n) p.out[first + f] = static_cast<float>(static_cast<double>(p.magnitude[first + f]) / sqrt(sum));
  }
}
