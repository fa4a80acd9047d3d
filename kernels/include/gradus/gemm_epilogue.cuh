// What `linear` does with accumulators: per-column scale and bias, then bf16, f32, or an addition to f32 in place.
//
// Written for the fragment that mma.m16n8 and wgmma share: of a quad of lanes, d[j][h * 2 + c] is the element at
// (row + 8 h, col + 8 j + 2 (lane % 4) + c), where `row` is the lane's own (lane / 4 included).
//
// value = sum * scale[column] + bias[column], one rounding; then out = bf16(value), out = value, or
// out = out + factor * value, one rounding.
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

// x [m, k] times w [n, k]^T, plus low [m, r] times low_w [n, r]^T.
struct LinearParams {
    const bf16* x;
    const bf16* w;
    const bf16* low;     // not read if r = 0
    const bf16* low_w;
    const float* scale;  // [n], or null
    const float* bias;   // [n], or null
    void* out;           // [m, n], bf16 or f32
    uint64_t x_stride;   // strides in elements
    uint64_t w_stride;
    uint64_t low_stride;
    uint64_t low_w_stride;
    uint64_t out_stride;
    uint32_t m;
    uint32_t n;
    uint32_t k;
    uint32_t r;
    float factor;        // of what is added to f32
    uint32_t reserved;
};
static_assert(sizeof(LinearParams) == 120 && offsetof(LinearParams, low_w) == 24 && offsetof(LinearParams, scale) == 32 &&
                  offsetof(LinearParams, bias) == 40 && offsetof(LinearParams, out) == 48 &&
                  offsetof(LinearParams, x_stride) == 56 && offsetof(LinearParams, w_stride) == 64 &&
                  offsetof(LinearParams, low_stride) == 72 && offsetof(LinearParams, low_w_stride) == 80 &&
                  offsetof(LinearParams, out_stride) == 88 && offsetof(LinearParams, m) == 96 &&
                  offsetof(LinearParams, n) == 100 && offsetof(LinearParams, k) == 104 && offsetof(LinearParams, r) == 108 &&
                  offsetof(LinearParams, factor) == 112,
              "the host writes this struct");

enum class LinearStore { kBf16, kF32, kAddF32 };

// Stores a fragment of 16 rows and 8 kTiles columns. Every lane of a warp calls it, whatever its rows.
//
// bf16 goes out as 16 bytes a lane, 64 in a row: the quad's words are transposed first. f32 goes out as the quad's
// 32 bytes, a whole sector.
template <LinearStore kStore, int kTiles>
__device__ __forceinline__ void linear_store(const LinearParams& p, uint32_t row, uint32_t col,
                                             const float (&d)[kTiles][4]) {
    static_assert(kTiles % 4 == 0, "four fragments make a store of 64 bytes a row");
    const uint32_t own = threadIdx.x % 4;
#pragma unroll
    for (int first = 0; first < kTiles; first += 4) {
        float v[4][4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const uint32_t at = col + (first + j) * 8 + own * 2;
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const bool in = at + c < p.n;
                const float scale = p.scale != nullptr && in ? p.scale[at + c] : 1.0f;
                const float bias = p.bias != nullptr && in ? p.bias[at + c] : 0.0f;
                v[j][c] = fmaf(d[first + j][c], scale, bias);
                v[j][2 + c] = fmaf(d[first + j][2 + c], scale, bias);
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const uint32_t to = row + 8 * h;
            if constexpr (kStore == LinearStore::kBf16) {
                uint32_t words[4];
#pragma unroll
                for (int j = 0; j < 4; j++) words[j] = pack_bf16x2(v[j][2 * h], v[j][2 * h + 1]);
                transpose_quad(words, threadIdx.x & 1, threadIdx.x & 2);
                const uint32_t at = col + (first + own) * 8;
                if (to >= p.m || at >= p.n) continue;
                bf16* out = static_cast<bf16*>(p.out) + to * p.out_stride + at;
                if (at + 8 <= p.n) {
                    store16(out, make_uint4(words[0], words[1], words[2], words[3]));
                } else {
#pragma unroll
                    for (uint32_t i = 0; i < 8; i++) {
                        if (at + i < p.n) out[i].bits = uint16_t(words[i / 2] >> (i % 2 * 16));
                    }
                }
            } else {
                if (to >= p.m) continue;
                float* out = static_cast<float*>(p.out) + to * p.out_stride;
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const uint32_t at = col + (first + j) * 8 + own * 2;
                    float low = v[j][2 * h], high = v[j][2 * h + 1];
                    if (at + 1 < p.n) {
                        float2* place = reinterpret_cast<float2*>(out + at);
                        if constexpr (kStore == LinearStore::kAddF32) {
                            const float2 old = *place;
                            low = fmaf(p.factor, low, old.x);
                            high = fmaf(p.factor, high, old.y);
                        }
                        *place = make_float2(low, high);
                    } else if (at < p.n) {
                        out[at] = kStore == LinearStore::kAddF32 ? fmaf(p.factor, low, out[at]) : low;
                    }
                }
            }
        }
    }
}

}  // namespace gradus
