// How `linear` on Hopper ends: per-column scale and bias, then bf16, f32, or an addition to f32 in place.
//
// value = sum * scale[column] + bias[column], one rounding; then out = bf16(value), out = value, or out = out + factor * value, one
// rounding. Fragments leave four at a time, 32 columns: bf16 as 16 bytes a lane, the quad's words transposed first, 64 bytes a row; f32 as
// the quad's 32 bytes, a sector.
//
// Gated: a tile's columns are kN / 2 of the gate and the kN / 2 of the up beside them, `n` rows of w further down; out = f(gate) * up, one rounding.
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

struct HopperLinear {
  const float* scale;  // [n], gated [2 n], or null
  const float* bias;   // the same
  void* out;           // [m, n], bf16 or f32
  uint64_t out_stride;  // elements, a multiple of 8
  uint32_t m;
  uint32_t n;           // columns of out
  uint32_t k;
  uint32_t r;
  float factor;  // of what is added to f32
  uint32_t reserved;
};
static_assert(sizeof(HopperLinear) == 56 && offsetof(HopperLinear, bias) == 8 && offsetof(HopperLinear, out) == 16 &&
                  offsetof(HopperLinear, out_stride) == 24 && offsetof(HopperLinear, m) == 32 && offsetof(HopperLinear, n) == 36 &&
                  offsetof(HopperLinear, k) == 40 && offsetof(HopperLinear, r) == 44 && offsetof(HopperLinear, factor) == 48,
              "the host writes this struct");

enum class HopperStore { kBf16, kF32, kAddF32 };

// A value that the compiler takes for new. Columns derived from it are computed where they are used: computed once before the loop over
// tiles, as they could be, they would take the registers that 192 accumulators leave.
GRADUS_DEVICE uint32_t renewed(uint32_t x) {
#if defined(__CUDACC__)
  asm volatile("" : "+r"(x)::"memory");
#endif
  return x;
}

// A quad's words of a row of four fragments, 32 columns from `col` on: word j of a lane is of fragment j.
GRADUS_DEVICE void hopper_put(const HopperLinear& p, uint32_t row, uint32_t col, uint32_t quad, uint32_t (&words)[4]) {
  transpose_quad(words, quad & 1, quad & 2);
  const uint32_t at = col + quad * 8;
  if (row >= p.m || at >= p.n) return;
  bf16* const out = static_cast<bf16*>(p.out) + row * p.out_stride + at;
  if (at + 8 <= p.n) {
    store16(out, make_uint4(words[0], words[1], words[2], words[3]));
  } else {
#pragma unroll
    for (uint32_t i = 0; i < 8; i++) {
      if (at + i < p.n) out[i].bits = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
    }
  }
}

// Stores 64 rows of a warpgroup's gate and up, as hopper_store: acc[4 j + ..] is the gate's and acc[kCount / 2 + 4 j + ..] the up's column
// col + 8 j + 2 (lane % 4) + c.
template <class F, int kCount>
GRADUS_DEVICE void hopper_store_gated(const HopperLinear& p, uint32_t row, uint32_t col, const float (&acc)[kCount]) {
  static_assert(kCount % 32 == 0, "four fragments of each at a time");
#pragma unroll
  for (int j0 = 0; j0 < kCount / 8; j0 += 4) {
    const uint32_t quad = renewed(threadIdx.x) % 4;
    const uint32_t first = col + j0 * 8 + quad * 2;
    uint32_t words[2][4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float v[2][2];
#pragma unroll
      for (int c = 0; c < 2; c++) {
        const uint32_t at = first + j * 8 + c;
        const bool inside = at < p.n;
        float scale[2], bias[2];
#pragma unroll
        for (int up = 0; up < 2; up++) {
          scale[up] = p.scale != nullptr && inside ? p.scale[at + up * p.n] : 1.0f;
          bias[up] = p.bias != nullptr && inside ? p.bias[at + up * p.n] : 0.0f;
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
          const int e = (j0 + j) * 4 + 2 * h + c;
          v[h][c] = F::apply(fmaf(acc[e], scale[0], bias[0])) * fmaf(acc[kCount / 2 + e], scale[1], bias[1]);
        }
      }
#pragma unroll
      for (int h = 0; h < 2; h++) words[h][j] = pack_bf16x2(v[h][0], v[h][1]);
    }
#pragma unroll
    for (int h = 0; h < 2; h++) hopper_put(p, row + 8 * h, col + j0 * 8, quad, words[h]);
  }
}

// Stores 64 rows of a warpgroup's accumulators; a whole warp calls it. acc[4 j + 2 h + c]: row + 8 h, col + 8 j + 2 (lane % 4) + c, where
// `row` is the lane's own.
template <HopperStore kStore, int kCount>
GRADUS_DEVICE void hopper_store(const HopperLinear& p, uint32_t row, uint32_t col, const float (&acc)[kCount]) {
  static_assert(kCount % 16 == 0, "four fragments at a time");
#pragma unroll
  for (int j0 = 0; j0 < kCount / 4; j0 += 4) {
    const uint32_t quad = renewed(threadIdx.x) % 4;
    const uint32_t first = col + j0 * 8 + quad * 2;
    float v[16];
#pragma unroll
    for (int i = 0; i < 16; i += 4) {
#pragma unroll
      for (int c = 0; c < 2; c++) {
        const uint32_t at = first + i * 2 + c;
        const float scale = p.scale != nullptr && at < p.n ? p.scale[at] : 1.0f;
        const float bias = p.bias != nullptr && at < p.n ? p.bias[at] : 0.0f;
        v[i + c] = fmaf(acc[j0 * 4 + i + c], scale, bias);
        v[i + 2 + c] = fmaf(acc[j0 * 4 + i + 2 + c], scale, bias);
      }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const uint32_t to = row + 8 * h;
      if constexpr (kStore == HopperStore::kBf16) {
        uint32_t words[4];
#pragma unroll
        for (int j = 0; j < 4; j++) words[j] = pack_bf16x2(v[4 * j + 2 * h], v[4 * j + 2 * h + 1]);
        hopper_put(p, to, col + j0 * 8, quad, words);
      } else if (to < p.m) {
        float* const out = static_cast<float*>(p.out) + to * p.out_stride + first;
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float low = v[4 * j + 2 * h], high = v[4 * j + 2 * h + 1];
          if (first + j * 8 + 1 < p.n) {
            float2* const place = reinterpret_cast<float2*>(out + j * 8);
            if constexpr (kStore == HopperStore::kAddF32) {
              const float2 old = *place;
              low = fmaf(p.factor, low, old.x);
              high = fmaf(p.factor, high, old.y);
            }
            *place = make_float2(low, high);
          } else if (first + j * 8 < p.n) {
            out[j * 8] = kStore == HopperStore::kAddF32 ? fmaf(p.factor, low, out[j * 8]) : low;
          }
        }
      }
    }
  }
}

}  // namespace gradus
