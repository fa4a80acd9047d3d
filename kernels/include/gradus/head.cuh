// What a fused head does with logits: each thread keeps a running maximum and sum of its own columns, a quad of lanes merges them at the
// end of a block of the vocabulary. No logit leaves its register. Written for the fragment that mma.m16n8 and wgmma share.
//
// Per logit: a multiplication, a maximum, a fused multiply-add, an exponential (MUFU), an addition. MUFU gives 16 a clock and SM, so the
// 24,576 logits of a Hopper group (128x192) take 1,536 clocks, about 2,100 with the maxima before them. The groups' distance, two to
// three steps of K at 768 clocks a group, covers that (gemm_sm90.cuh, Overlap).
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

constexpr float kLog2E = 1.4426950408889634f;

// What happens to a sum before it is a logit; `tokens` of the slab bound `column_scale` and `bias`.
struct HeadTransform {
  const float* column_scale;  // [tokens], or null
  const float* bias;          // [tokens], or null
  float scale;
  float soft_cap;  // 0: none
  uint32_t round_to_bf16;
  uint32_t reserved;
};
static_assert(sizeof(HeadTransform) == 32 && offsetof(HeadTransform, bias) == 8 && offsetof(HeadTransform, scale) == 16 &&
                  offsetof(HeadTransform, soft_cap) == 20 && offsetof(HeadTransform, round_to_bf16) == 24,
              "the host writes this struct");

// bf16(cap tanh(scale (sum column_scale + bias) / cap)), by parts as asked for.
GRADUS_DEVICE float head_logit(const HeadTransform& t, float sum, uint32_t column, uint32_t tokens) {
  float x = sum;
  if (column < tokens) {
    const float scale = t.column_scale != nullptr ? t.column_scale[column] : 1.0f;
    const float bias = t.bias != nullptr ? t.bias[column] : 0.0f;
    x = fmaf(x, scale, bias);
  }
  x *= t.scale;
  if (t.soft_cap != 0.0f) {
    // tanh u = 1 - 2 / (1 + e^(2u)).
    const float e = exp2_approx(x * (2.0f * kLog2E / t.soft_cap));
    x = t.soft_cap * (1.0f - 2.0f * rcp_approx(1.0f + e));
  }
  return t.round_to_bf16 != 0 ? to_float(to_bf16(x)) : x;
}

// sum = e^(x - max) summed, of the columns so far.
struct HeadRunning {
  float max;
  float sum;
};
// A maximum to subtract: 0 where there is nothing yet, so that e^(-inf - 0) is 0.
GRADUS_DEVICE float head_anchor(float max) { return max == kNegInf ? 0.0f : max; }
GRADUS_DEVICE float head_rescale(float from, float to) { return exp2_approx((from - to) * kLog2E); }

// Adds the columns of row h of a fragment. NaN is left out of the maximum and so gets into the sum.
template <int kCount>
GRADUS_DEVICE void head_add(HeadRunning& run, const float (&x)[kCount], int h) {
  float max[2] = {run.max, kNegInf};
#pragma unroll
  for (int j = 0; j < kCount / 4; j++) {
    max[0] = fmaxf(max[0], x[4 * j + 2 * h]);
    max[1] = fmaxf(max[1], x[4 * j + 2 * h + 1]);
  }
  const float larger = fmaxf(max[0], max[1]), anchor = head_anchor(larger), shift = -anchor * kLog2E;
  float sum[2] = {run.sum * head_rescale(run.max, anchor), 0.0f};
#pragma unroll
  for (int j = 0; j < kCount / 4; j++) {
    sum[0] += exp2_approx(fmaf(x[4 * j + 2 * h], kLog2E, shift));
    sum[1] += exp2_approx(fmaf(x[4 * j + 2 * h + 1], kLog2E, shift));
  }
  run.max = larger;
  run.sum = sum[0] + sum[1];
}

// The same with the sum of e^(f - max) (f - b), both rows' columns that exist.
template <int kCount>
GRADUS_DEVICE void head_add_difference(HeadRunning& run, float& difference, const float (&f)[kCount], const float (&b)[kCount], int h,
                                       uint32_t columns_left) {
  float larger = run.max;
#pragma unroll
  for (int i = 0; i < kCount / 2; i++) larger = fmaxf(larger, f[i / 2 * 4 + 2 * h + i % 2]);
  const float anchor = head_anchor(larger), shift = -anchor * kLog2E, old = head_rescale(run.max, anchor);
  float sum = run.sum * old, weighted = difference * old;
#pragma unroll
  for (int i = 0; i < kCount / 2; i++) {
    const int at = i / 2 * 4 + 2 * h + i % 2;
    const float e = exp2_approx(fmaf(f[at], kLog2E, shift));
    sum += e;
    const bool in = static_cast<uint32_t>(i / 2 * 8 + i % 2) < columns_left;
    weighted = in ? fmaf(e, f[at] - b[at], weighted) : weighted;
  }
  run.max = larger;
  run.sum = sum;
  difference = weighted;
}

// All four lanes of a quad: the merged value, the same bits in each.
GRADUS_DEVICE void head_merge_quad(HeadRunning& run, float* difference) {
#pragma unroll
  for (int lanes = 1; lanes <= 2; lanes *= 2) {
    const float max = __shfl_xor_sync(0xffffffffu, run.max, lanes), sum = __shfl_xor_sync(0xffffffffu, run.sum, lanes);
    const float larger = fmaxf(run.max, max), anchor = head_anchor(larger);
    const float own = head_rescale(run.max, anchor), other = head_rescale(max, anchor);
    // Products first, each rounded: lane and neighbour add the same two numbers.
    run.sum = __fadd_rn(__fmul_rn(run.sum, own), __fmul_rn(sum, other));
    if (difference != nullptr) {
      const float d = __shfl_xor_sync(0xffffffffu, *difference, lanes);
      *difference = __fadd_rn(__fmul_rn(*difference, own), __fmul_rn(d, other));
    }
    run.max = larger;
  }
}

}  // namespace gradus
