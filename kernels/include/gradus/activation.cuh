// Activations of a gated MLP, in f32. Exponential and reciprocal are the hardware's (ex2, rcp), each off by about 1 ulp.
//
//   silu       f(x) = x / (1 + e^-x)
//   gelu_tanh  f(x) = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3)
//   gelu       f(x) = max(x, 0) - |x| e^(-t^2) P(v), t = |x| / sqrt 2, v = 1 / (1 + 0.35 t): the polynomial of the CPU side
//              (simd/transcendental.rs), erfc(t) / 2 to 7e-9
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

constexpr float kActivationLog2E = 1.4426950408889634f;

struct Silu {
  GRADUS_DEVICE static float apply(float x) { return x * rcp_approx(1.0f + exp2_approx(-kActivationLog2E * x)); }
};

struct GeluTanh {
  GRADUS_DEVICE static float apply(float x) {
    const float u = fmaf(0.044715f, x * x * x, x);
    return x * rcp_approx(1.0f + exp2_approx(-1.5957691216057308f * kActivationLog2E * u));
  }
};

struct Gelu {
  GRADUS_DEVICE static float apply(float x) {
    // Past 20 the second term is 0. fminf would turn NaN into 20.
    const float size = fabsf(x) > 20.0f ? 20.0f : fabsf(x);
    const float t = size * 0.70710678118654752f;
    const float v = rcp_approx(fmaf(t, 0.35f, 1.0f));
    float poly = 1.920094e-2f;
    poly = fmaf(poly, v, -7.94664e-2f);
    poly = fmaf(poly, v, 9.073592e-2f);
    poly = fmaf(poly, v, -1.3859927e-2f);
    poly = fmaf(poly, v, 4.3515306e-2f);
    poly = fmaf(poly, v, 7.30179e-2f);
    poly = fmaf(poly, v, 7.55942e-2f);
    poly = fmaf(poly, v, 9.3950965e-2f);
    poly = fmaf(poly, v, 9.856921e-2f);
    poly = fmaf(poly, v, 9.874189e-2f);
    const float tail = exp2_approx(-kActivationLog2E * t * t) * (poly * v);
    const float positive = x < 0.0f ? 0.0f : x;  // NaN stays
    return fmaf(-size, tail, positive);
  }
};

}  // namespace gradus
