// Gated activations of a stacked projection: out[r, i] = f(x[r, i]) * x[r, inner + i].
//
// gradus/activation.cuh has f. x [rows, 2 inner] bf16, out [rows, inner] bf16; f32 in between, rounded once. A thread owns two units of eight values; nothing is summed, so a value depends on its gate and up alone.
// Where inner is no multiple of 8 the second half does not start at 16 bytes and is read value by value.
//
// Bytes per value of out, the floor: 4 + 2.
#include "gradus/activation.cuh"
#include "gradus/vectors.cuh"

struct GatedParams {
  const bf16* x;
  bf16* out;
  uint64_t x_stride;
  uint64_t out_stride;
  uint64_t rows;
  uint32_t inner;
  uint32_t unused;
};
static_assert(sizeof(GatedParams) == 48 && offsetof(GatedParams, rows) == 32 && offsetof(GatedParams, inner) == 40,
              "as GatedParams in device.rs");

template <class F>
__device__ __forceinline__ void gated(const GatedParams& p) {
  constexpr uint32_t kUnits = 2, kThreads = 256;
  const UnitCursor cursor(p.inner / 8, kUnits * kThreads);
  uint4 gate[kUnits], up[kUnits];
  bf16* out[kUnits];
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    uint32_t unit;
    const uint64_t row = cursor.locate(i * kThreads + threadIdx.x, unit);
    out[i] = row < p.rows ? p.out + row * p.out_stride + 8 * unit : nullptr;
    const bf16* const x = p.x + row * p.x_stride + 8 * unit;
    gate[i] = out[i] != nullptr ? load16_once(x) : make_uint4(0, 0, 0, 0);
    up[i] = out[i] != nullptr ? load16_once(x + p.inner) : make_uint4(0, 0, 0, 0);
  }
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    Eight g = unpack8(gate[i]);
    const Eight u = unpack8(up[i]);
#pragma unroll
    for (int k = 0; k < 8; ++k) g.v[k] = F::apply(g.v[k]) * u.v[k];
    if (out[i] != nullptr) store16(out[i], pack8(g));
  }
}

template <class F>
__device__ __forceinline__ void gated_ragged(const GatedParams& p) {
  const UnitCursor cursor(p.inner, 256);
  uint32_t i;
  const uint64_t row = cursor.locate(threadIdx.x, i);
  if (row >= p.rows) return;
  const bf16* const x = p.x + row * p.x_stride + i;
  p.out[row * p.out_stride + i] = to_bf16(F::apply(to_float(x[0])) * to_float(x[p.inner]));
}

GRADUS_KERNEL(gated_silu, GatedParams, 256, 5) { gated<Silu>(p); }
GRADUS_KERNEL(gated_gelu, GatedParams, 256, 5) { gated<Gelu>(p); }
GRADUS_KERNEL(gated_gelu_tanh, GatedParams, 256, 5) { gated<GeluTanh>(p); }
GRADUS_KERNEL(gated_silu_ragged, GatedParams, 256, 4) { gated_ragged<Silu>(p); }
GRADUS_KERNEL(gated_gelu_ragged, GatedParams, 256, 4) { gated_ragged<Gelu>(p); }
GRADUS_KERNEL(gated_gelu_tanh_ragged, GatedParams, 256, 4) { gated_ragged<GeluTanh>(p); }
