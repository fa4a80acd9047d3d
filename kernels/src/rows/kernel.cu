// Rows copied: by index, or to bf16.
//
//   gather_f32, gather_bf16     out[r] = x[index[r]]      [rows, cols], bits as they are
//   to_bf16_f32, to_bf16_f16    out[r] = x[r], rounded to nearest even (NaN stays NaN)
//
// A thread owns four units: of 16 bytes, or of four values where they are converted from f32. Nothing is summed. An index outside x gives a row of
// NaN (see embedding/kernel.cu).
//
// Bytes per value, the floor: gather 4 + 4 or 2 + 2, and 4 per row for the index; to_bf16 4 + 2 or 2 + 2.
#include "gradus/vectors.cuh"

struct GatherParams {
  const void* x;
  const uint32_t* index;
  void* out;
  uint64_t x_stride;
  uint64_t out_stride;
  uint64_t x_rows;
  uint64_t rows;
  uint32_t cols;
  uint32_t unused;
};
static_assert(sizeof(GatherParams) == 64 && offsetof(GatherParams, rows) == 48 && offsetof(GatherParams, cols) == 56,
              "as GatherParams in device.rs");

struct ToBf16Params {
  const void* x;
  bf16* out;
  uint64_t x_stride;
  uint64_t out_stride;
  uint64_t rows;
  uint32_t cols;
  uint32_t unused;
};
static_assert(sizeof(ToBf16Params) == 48 && offsetof(ToBf16Params, rows) == 32 && offsetof(ToBf16Params, cols) == 40,
              "as ToBf16Params in device.rs");

// T: the values' bits.
template <class T>
__device__ __forceinline__ void gather(const GatherParams& p, uint32_t nan_word) {
  constexpr uint32_t kUnits = 4, kThreads = 256, kWidth = 16 / sizeof(T);
  const UnitCursor cursor((p.cols + kWidth - 1) / kWidth, kUnits * kThreads);
  uint4 v[kUnits];
  const T* from[kUnits];
  T* to[kUnits];
  uint32_t part[kUnits];
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    uint32_t unit;
    const uint64_t row = cursor.locate(i * kThreads + threadIdx.x, unit);
    part[i] = 0;
    v[i] = make_uint4(nan_word, nan_word, nan_word, nan_word);
    if (row >= p.rows) continue;
    const uint32_t c = kWidth * unit, index = p.index[row];
    part[i] = p.cols - c < kWidth ? p.cols - c : kWidth;
    to[i] = static_cast<T*>(p.out) + row * p.out_stride + c;
    from[i] = index < p.x_rows ? static_cast<const T*>(p.x) + index * p.x_stride + c : nullptr;
    if (from[i] != nullptr && part[i] == kWidth) v[i] = load16_once(from[i]);
  }
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    if (part[i] == kWidth) {
      store16(to[i], v[i]);
    } else {
      for (uint32_t k = 0; k < part[i]; ++k) to[i][k] = from[i] != nullptr ? from[i][k] : static_cast<T>(nan_word);
    }
  }
}

GRADUS_KERNEL(gather_f32, GatherParams, 256, 4) { gather<uint32_t>(p, 0x7fc00000u); }
GRADUS_KERNEL(gather_bf16, GatherParams, 256, 4) { gather<uint16_t>(p, 0x7fc07fc0u); }

// Units of four f32, or of eight f16.
template <class T>
__device__ __forceinline__ void convert(const ToBf16Params& p) {
  constexpr uint32_t kUnits = 4, kThreads = 256, kWidth = 16 / sizeof(T);
  const UnitCursor cursor((p.cols + kWidth - 1) / kWidth, kUnits * kThreads);
  uint4 v[kUnits];
  const T* from[kUnits];
  bf16* to[kUnits];
  uint32_t part[kUnits];
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    uint32_t unit;
    const uint64_t row = cursor.locate(i * kThreads + threadIdx.x, unit);
    part[i] = 0;
    v[i] = make_uint4(0, 0, 0, 0);
    if (row >= p.rows) continue;
    const uint32_t c = kWidth * unit;
    part[i] = p.cols - c < kWidth ? p.cols - c : kWidth;
    from[i] = static_cast<const T*>(p.x) + row * p.x_stride + c;
    to[i] = p.out + row * p.out_stride + c;
    if (part[i] == kWidth) v[i] = load16_once(from[i]);
  }
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    if (part[i] == kWidth) {
      if constexpr (kWidth == 4) {
        store4(to[i], make_float4(bits_float(v[i].x), bits_float(v[i].y), bits_float(v[i].z), bits_float(v[i].w)));
      } else {
        const float2 a = unpack_f16x2(v[i].x), b = unpack_f16x2(v[i].y), c = unpack_f16x2(v[i].z), d = unpack_f16x2(v[i].w);
        store16(to[i], pack8(Eight{{a.x, a.y, b.x, b.y, c.x, c.y, d.x, d.y}}));
      }
    } else {
      for (uint32_t k = 0; k < part[i]; ++k) to[i][k] = to_bf16(to_float(from[i][k]));
    }
  }
}

GRADUS_KERNEL(to_bf16_f32, ToBf16Params, 256, 4) { convert<float>(p); }
GRADUS_KERNEL(to_bf16_f16, ToBf16Params, 256, 4) { convert<f16>(p); }
