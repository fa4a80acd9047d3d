// What a fused head does with logits: each thread keeps a running maximum and sum of its own columns, a quad of lanes merges them at the
// end of a block of the vocabulary. No logit leaves its register. Written for the fragment that mma.m16n8 and wgmma share.
//
// Per logit: a multiplication, a maximum, a fused multiply-add, an exponential (MUFU), an addition. MUFU gives 16 a clock and SM, so the
// 24,576 logits of a Hopper group (128x192) take 1,536 clocks, about 2,100 with the maxima before them. The groups' distance, two to
// three steps of K at 768 clocks a group, covers that (gemm_sm90.cuh, Overlap).
//
// Per capped logit: no maximum, as e^(+-cap) fits f32; 2.5 MUFU (an exponential in tanh, half a reciprocal, an exponential), 6.5 others.
#pragma once
#include "gradus/cuda.cuh"
#include "gradus/soft_cap.cuh"

namespace gradus {

constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

// What happens to a sum before it is a logit; `tokens` of the slab bound `column_scale` and `bias`.
struct HeadTransform {
  const float* column_scale;  // [tokens], or null
  const float* bias;          // [tokens], or null
  float scale;
  float soft_cap;  // 0: none
  uint32_t round_to_bf16;
  float cap_in;  // what a sum is multiplied by before tanh, times 2 log2(e): 2 log2(e) scale / soft_cap
};
static_assert(sizeof(HeadTransform) == 32 && offsetof(HeadTransform, bias) == 8 && offsetof(HeadTransform, scale) == 16 &&
                  offsetof(HeadTransform, soft_cap) == 20 && offsetof(HeadTransform, round_to_bf16) == 24 && offsetof(HeadTransform, cap_in) == 28,
              "the host writes this struct");

// Which transforms a kernel is compiled for. Each is straight-line code.
enum class HeadKind {
  kScaled,  // scale alone
  kCapped,  // scale, and a soft cap of at most 64: logits in units of log2
  kAny,
};

// bf16(cap tanh(scale (sum column_scale + bias) / cap)), by parts as asked for.
GRADUS_DEVICE float head_logit(const HeadTransform& t, float sum, uint32_t column, uint32_t tokens) {
  float x = sum;
  if (column < tokens) {
    const float scale = t.column_scale != nullptr ? t.column_scale[column] : 1.0f;
    const float bias = t.bias != nullptr ? t.bias[column] : 0.0f;
    x = fmaf(x, scale, bias);
  }
  if (t.soft_cap != 0.0f) {
    x = t.soft_cap * fmaf(-2.0f, rcp_approx(1.0f + exp2_approx(x * t.cap_in)), 1.0f);
  } else {
    x *= t.scale;
  }
  return t.round_to_bf16 != 0 ? to_float(to_bf16(x)) : x;
}

// The same of a fragment, whose first column of this thread is `own`. Selections, not branches: accumulators stay where they are.
template <int kCount>
GRADUS_DEVICE void head_any_logits(const HeadTransform& t, float (&x)[kCount], uint32_t own, uint32_t tokens) {
  const bool capped = t.soft_cap != 0.0f, rounded = t.round_to_bf16 != 0;
  const float* const scales = t.column_scale != nullptr ? t.column_scale + own : nullptr;
  const float* const biases = t.bias != nullptr ? t.bias + own : nullptr;
#pragma unroll
  for (int j = 0; j < kCount / 4; j++) {
    float scale[2], bias[2];
#pragma unroll
    for (int c = 0; c < 2; c++) {
      const bool inside = own + j * 8 + c < tokens;
      scale[c] = scales != nullptr && inside ? scales[j * 8 + c] : 1.0f;
      bias[c] = biases != nullptr && inside ? biases[j * 8 + c] : 0.0f;
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float &a = x[4 * j + 2 * h], &b = x[4 * j + 2 * h + 1];
      a = fmaf(a, scale[0], bias[0]);
      b = fmaf(b, scale[1], bias[1]);
      float cap_a = a, cap_b = b;
      soft_cap_pair(t.cap_in, t.soft_cap, cap_a, cap_b);
      a = capped ? cap_a : a * t.scale;
      b = capped ? cap_b : b * t.scale;
      const float2 pair = unpack_bf16x2(pack_bf16x2(a, b));
      a = rounded ? pair.x : a;
      b = rounded ? pair.y : b;
    }
  }
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

// Adds sums of both rows of a fragment as capped logits, in units of log2, which `keep` receives. Their maximum is 0, whatever they are:
// e^(+-64) and what 1,536 of them can sum to are far inside f32. Columns past the vocabulary weigh nothing, and do not differ from themselves.
template <int kCount, class Keep>
GRADUS_DEVICE void head_add_capped(const HeadTransform& t, HeadRunning (&run)[2], const float (&x)[kCount], uint32_t columns_left, Keep keep) {
  const float in = t.cap_in, out = t.soft_cap * kLog2E;
#pragma unroll
  for (int i = 0; i < kCount; i += 2) {
    float pair[2] = {x[i], x[i + 1]};
    soft_cap_pair(in, out, pair[0], pair[1]);
#pragma unroll
    for (int c = 0; c < 2; c++) {
      const float logit = static_cast<uint32_t>(i / 4 * 8 + c) < columns_left ? pair[c] : -1000.0f;
      const float e = exp2_approx(logit);
      run[i / 2 % 2].sum += e;
      keep(i + c, logit, e);
    }
  }
}

// Sums to logits; columns past `tokens` become -inf, which weighs nothing. `token` is the fragment's first.
template <HeadKind kKind, int kCount>
GRADUS_DEVICE void head_logits(const HeadTransform& t, float (&x)[kCount], uint32_t token, uint32_t tokens) {
  const uint32_t own = token + threadIdx.x % 4 * 2;
  if constexpr (kKind == HeadKind::kAny) {
    head_any_logits(t, x, own, tokens);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] *= t.scale;
  }
  if (token + kCount * 2 > tokens) {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (own + i / 4 * 8 + i % 2 >= tokens) x[i] = kNegInf;
    }
  }
}

// Columns from this thread's first on that a slab has.
GRADUS_DEVICE uint32_t head_columns_left(uint32_t token, uint32_t tokens) {
  const uint32_t own = token + threadIdx.x % 4 * 2;
  return own < tokens ? tokens - own : 0;
}

// Nothing summed yet.
template <HeadKind kKind>
GRADUS_DEVICE HeadRunning head_none() {
  return {kKind == HeadKind::kCapped ? 0.0f : kNegInf, 0.0f};
}

// Adds both rows of a fragment, sums that start at column `token`.
template <HeadKind kKind, int kCount>
GRADUS_DEVICE void head_add_sums(const HeadTransform& t, HeadRunning (&run)[2], float (&x)[kCount], uint32_t token, uint32_t tokens) {
  if constexpr (kKind == HeadKind::kCapped) {
    head_add_capped(t, run, x, head_columns_left(token, tokens), [](int, float, float) {});
  } else {
    head_logits<kKind>(t, x, token, tokens);
    head_add(run[0], x, 0);
    head_add(run[1], x, 1);
  }
}

// What is kept of both rows of two models' fragments.
struct HeadKlRunning {
  HeadRunning own[2];
  HeadRunning other[2];
  float difference[2];

  GRADUS_DEVICE explicit HeadKlRunning(HeadRunning none) : own{none, none}, other{none, none}, difference{0.0f, 0.0f} {}
  template <HeadKind kKind>
  GRADUS_DEVICE void merge_quad() {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      if constexpr (kKind == HeadKind::kCapped) difference[h] *= kLn2;
      head_merge_quad(own[h], &difference[h]);
      head_merge_quad(other[h], nullptr);
    }
  }
  GRADUS_DEVICE void store(int h, float* partials, float* base_partials, uint64_t to) const {
    reinterpret_cast<float4*>(partials)[to] = make_float4(own[h].max, own[h].sum, difference[h], 0.0f);
    reinterpret_cast<float2*>(base_partials)[to] = make_float2(other[h].max, other[h].sum);
  }
};

// The base's sums, once they are there: they become what head_add_both wants of them.
template <HeadKind kKind, int kCount>
GRADUS_DEVICE void head_base(const HeadTransform& t, HeadKlRunning& run, float (&b)[kCount], uint32_t token, uint32_t tokens) {
  if constexpr (kKind == HeadKind::kCapped) {
    head_add_capped(t, run.other, b, head_columns_left(token, tokens), [&](int i, float logit, float) { b[i] = logit; });
  } else {
    head_logits<kKind>(t, b, token, tokens);
  }
}

// Adds the model's sums `f`, beside the base.
template <HeadKind kKind, int kCount>
GRADUS_DEVICE void head_add_both(const HeadTransform& t, HeadKlRunning& run, float (&f)[kCount], const float (&b)[kCount], uint32_t token,
                                 uint32_t tokens) {
  const uint32_t left = head_columns_left(token, tokens);
  if constexpr (kKind == HeadKind::kCapped) {
    head_add_capped(t, run.own, f, left, [&](int i, float logit, float e) {
      float& sum = run.difference[i / 2 % 2];
      sum = fmaf(e, logit - b[i], sum);
    });
  } else {
    head_logits<kKind>(t, f, token, tokens);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      head_add(run.other[h], b, h);
      head_add_difference(run.own[h], run.difference[h], f, b, h, left);
    }
  }
}

}  // namespace gradus
