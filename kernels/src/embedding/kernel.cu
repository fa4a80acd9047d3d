// Token embedding: out[t] = table[ids[t]] * scale.
//
// table [vocabulary, cols] f32, bf16 or f16, widened exactly; out [tokens, cols] f32; one f32 product per value.
// A thread owns four units of four values; nothing is summed, so a row's bits depend on its id alone. An id outside the table gives a row of
// NaN: ids are checked on the host where they are made, and a wrong one must neither read past the table nor become a number.
//
// Bytes per value, the floor: the table's 4 or 2, and 4 written; 4 per row for the id.
#include "gradus/vectors.cuh"

struct EmbeddingParams {
  const void* table;
  const uint32_t* ids;
  float* out;
  uint64_t table_stride;
  uint64_t out_stride;
  uint64_t tokens;
  uint64_t table_rows;
  uint32_t cols;
  float scale;
};
static_assert(sizeof(EmbeddingParams) == 64 && offsetof(EmbeddingParams, table_rows) == 48 && offsetof(EmbeddingParams, scale) == 60,
              "as EmbeddingParams in device.rs");

template <class T>
__device__ __forceinline__ void embed(const EmbeddingParams& p) {
  constexpr uint32_t kUnits = 4, kThreads = 256;
  const UnitCursor cursor((p.cols + 3) / 4, kUnits * kThreads);
  float4 v[kUnits];
  float* out[kUnits];
  uint32_t part[kUnits];  // values of a unit; 0: none
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    uint32_t unit;
    const uint64_t token = cursor.locate(i * kThreads + threadIdx.x, unit);
    part[i] = 0;
    v[i] = make_float4(0.f, 0.f, 0.f, 0.f);
    if (token >= p.tokens) continue;
    const uint32_t c = 4 * unit, id = p.ids[token];
    part[i] = p.cols - c < 4 ? p.cols - c : 4;
    out[i] = p.out + token * p.out_stride + c;
    const T* const from = static_cast<const T*>(p.table) + static_cast<uint64_t>(id) * p.table_stride + c;
    if (id >= p.table_rows) {
      const float nan = bits_float(0x7fc00000u);
      v[i] = make_float4(nan, nan, nan, nan);
    } else if (part[i] == 4) {
      v[i] = load4(from);
    } else {
      v[i] = load_part(from, part[i]);
    }
  }
#pragma unroll
  for (uint32_t i = 0; i < kUnits; ++i) {
    const float4 y = make_float4(v[i].x * p.scale, v[i].y * p.scale, v[i].z * p.scale, v[i].w * p.scale);
    if (part[i] == 4) {
      store4(out[i], y);
    } else if (part[i] != 0) {
      store_part(out[i], y, part[i]);
    }
  }
}

GRADUS_KERNEL(embedding_f32, EmbeddingParams, 256, 4) { embed<float>(p); }
GRADUS_KERNEL(embedding_bf16, EmbeddingParams, 256, 4) { embed<bf16>(p); }
GRADUS_KERNEL(embedding_f16, EmbeddingParams, 256, 4) { embed<f16>(p); }
