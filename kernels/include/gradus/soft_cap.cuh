// cap tanh(x / cap), for logits and for attention's scores.
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

// x, y = out tanh(x / cap), out tanh(y / cap), where `in` is 2 log2(e) / cap: tanh u = 1 - 2 / (1 + e^(2u)), and one reciprocal serves both,
// 1 / a = b / (a b). Straight-line: 2 exponentials and a reciprocal (MUFU), 11 others. Past e^(2u) = 2^60 the quotient is 0 to f32; it is
// held there so that a b is finite. NaN stays, and reaches the other one. Absolute error 7e-7 out at most.
GRADUS_DEVICE void soft_cap_pair(float in, float out, float& x, float& y) {
  const float a = exp2_approx(min_or_nan(x * in, 60.0f)) + 1.0f, b = exp2_approx(min_or_nan(y * in, 60.0f)) + 1.0f;
  const float inverse = rcp_approx(a * b);
  x = fmaf(-2.0f * out, inverse * b, out);
  y = fmaf(-2.0f * out, inverse * a, out);
}

}  // namespace gradus
