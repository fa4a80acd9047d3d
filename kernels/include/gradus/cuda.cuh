// The dialect of every kernel here: integer types, bf16/f16/fp8, 16-byte access, fast maths, lane ids, GRADUS_KERNEL.
//
// One source, two compilers. nvcc and NVRTC make device code of it (no other header is needed); any other C++ compiler takes the
// emulator's model of CUDA (kernels/shim) instead. A file that includes this needs no `#if` of its own.
#pragma once

#if defined(__CUDACC_RTC__)
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
typedef unsigned long long uintptr_t;
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#elif defined(__CUDACC__)
#include <stddef.h>
#include <stdint.h>
#else
#include "gradus_shim/simt.h"
#endif

#if defined(__CUDACC__)
// A kernel takes one structure by value. Symbol: gradus_NAME; the body sees it as `p`.
#define GRADUS_KERNEL(name, Params, threads, min_blocks) \
  extern "C" __global__ void __launch_bounds__(threads, min_blocks) gradus_##name(const __grid_constant__ Params p)
// Dynamic shared memory, aligned for the 128-byte swizzle's pattern of 1024 bytes.
#define GRADUS_DYNAMIC_SMEM(T, name)                                          \
  extern __shared__ __align__(1024) unsigned char gradus_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(gradus_dynamic_shared)
#define GRADUS_DEVICE __device__ __forceinline__
#endif

namespace gradus {

static constexpr int kWarpSize = 32;

// bf16 and f16 are bits: arithmetic is f32.
struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};
// fp8: e4m3 has no infinities (largest 448), e5m2 has (largest 57344).
struct fp8_e4m3 {
  uint8_t bits;
};
struct fp8_e5m2 {
  uint8_t bits;
};

GRADUS_DEVICE uint32_t float_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  return u;
}
GRADUS_DEVICE float bits_float(uint32_t u) {
  float x;
  memcpy(&x, &u, 4);
  return x;
}

// Minus infinity: the maximum of nothing, the logarithm of zero.
#if defined(__CUDACC__)
#define kNegInf (__int_as_float(0xff800000))
#else
static const float kNegInf = -INFINITY;
#endif

// Nearest even; NaN stays NaN (0x7fff).
GRADUS_DEVICE bf16 to_bf16(float x) {
#if defined(__CUDA_ARCH__)
  bf16 r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
  return r;
#else
  const uint32_t u = float_bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return bf16{0x7fff};
  return bf16{static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
#endif
}
GRADUS_DEVICE float to_float(bf16 x) { return bits_float(static_cast<uint32_t>(x.bits) << 16); }

// Two bf16 in a register, the first in the low half.
GRADUS_DEVICE uint32_t pack_bf16x2(float lo, float hi) {
#if defined(__CUDA_ARCH__)
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return r;
#else
  return static_cast<uint32_t>(to_bf16(lo).bits) | (static_cast<uint32_t>(to_bf16(hi).bits) << 16);
#endif
}
GRADUS_DEVICE float2 unpack_bf16x2(uint32_t pair) {
  return make_float2(bits_float(pair << 16), bits_float(pair & 0xffff0000u));
}

GRADUS_DEVICE float to_float(f16 x) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x.bits));
  return r;
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16, rest = x.bits & 0x7fffu;
  if (rest >= 0x7c00u) return bits_float(sign | 0x7f800000u | ((rest & 0x3ffu) << 13));
  if (rest < 0x400u) return bits_float(sign | float_bits(static_cast<float>(rest) * 0x1p-24f));
  return bits_float(sign | ((rest << 13) + 0x38000000u));
#endif
}
// Nearest even; past the largest f16 is infinity; NaN stays NaN (0x7fff).
GRADUS_DEVICE f16 to_f16(float x) {
#if defined(__CUDA_ARCH__)
  f16 r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
  return r;
#else
  const uint32_t u = float_bits(x), sign = (u >> 16) & 0x8000u, rest = u & 0x7fffffffu;
  if (rest > 0x7f800000u) return f16{0x7fff};
  if (rest >= 0x477ff000u) return f16{static_cast<uint16_t>(sign | 0x7c00u)};
  if (rest < 0x38800000u) {  // below 2^-14: a multiple of 2^-24, rounded by the addition
    const float shifted = bits_float(rest) + 0.5f;
    return f16{static_cast<uint16_t>(sign | (float_bits(shifted) - 0x3f000000u))};
  }
  return f16{static_cast<uint16_t>(sign | ((rest - 0x38000000u + 0xfffu + ((rest >> 13) & 1u)) >> 13))};
#endif
}

GRADUS_DEVICE float to_float(fp8_e5m2 x) { return to_float(f16{static_cast<uint16_t>(x.bits << 8)}); }
GRADUS_DEVICE float to_float(fp8_e4m3 x) {
  if ((x.bits & 0x7fu) == 0x7fu) return bits_float(0x7fffffffu);
  const uint16_t half = static_cast<uint16_t>(((x.bits & 0x80u) << 8) | ((x.bits & 0x7fu) << 7));
  return to_float(f16{half}) * 256.0f;  // the exponents' biases differ by 8
}

namespace detail {
// A magnitude rounded to nearest even into `mantissa` bits and an exponent of bias `bias`; `largest` is the last finite code.
GRADUS_DEVICE uint32_t round_to_fp8(float x, int mantissa, int bias, uint32_t largest) {
  const uint32_t u = float_bits(x), rest = u & 0x7fffffffu;
  const int exponent = static_cast<int>(rest >> 23) - 127;
  uint32_t code;
  if (exponent < 1 - bias) {  // subnormal there: a multiple of 2^(1 - bias - mantissa)
    const float step = bits_float(static_cast<uint32_t>(127 + 1 - bias - mantissa + 23) << 23);
    code = float_bits(bits_float(rest) + step) - float_bits(step);
  } else {
    const int drop = 23 - mantissa;
    const uint32_t rounded = rest + ((1u << (drop - 1)) - 1u) + ((rest >> drop) & 1u);
    code = (rounded >> drop) - (static_cast<uint32_t>(127 - bias) << mantissa);
  }
  return code > largest ? largest : code;
}
}  // namespace detail

// Nearest even, saturating to the largest finite value; NaN stays NaN.
GRADUS_DEVICE fp8_e4m3 to_fp8_e4m3(float x) {
  const uint32_t u = float_bits(x), sign = (u >> 24) & 0x80u;
  if ((u & 0x7fffffffu) > 0x7f800000u) return fp8_e4m3{0x7f};
  return fp8_e4m3{static_cast<uint8_t>(sign | detail::round_to_fp8(x, 3, 7, 0x7e))};
}
GRADUS_DEVICE fp8_e5m2 to_fp8_e5m2(float x) {
  const uint32_t u = float_bits(x), sign = (u >> 24) & 0x80u;
  if ((u & 0x7fffffffu) > 0x7f800000u) return fp8_e5m2{0x7f};
  return fp8_e5m2{static_cast<uint8_t>(sign | detail::round_to_fp8(x, 2, 15, 0x7b))};
}

// 16 bytes at a 16-byte aligned address.
template <class T>
GRADUS_DEVICE uint4 load16(const T* p) {
  return *reinterpret_cast<const uint4*>(p);
}
template <class T>
GRADUS_DEVICE void store16(T* p, uint4 v) {
  *reinterpret_cast<uint4*>(p) = v;
}
template <class T>
GRADUS_DEVICE float4 load16f(const T* p) {
  return *reinterpret_cast<const float4*>(p);
}
template <class T>
GRADUS_DEVICE void store16f(T* p, float4 v) {
  *reinterpret_cast<float4*>(p) = v;
}

// 2^x: relative error 2^-22 on the device, subnormals flushed.
GRADUS_DEVICE float exp2_approx(float x) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
#else
  return exp2f(x);
#endif
}
// log2(x): absolute error 2^-22 near 1 on the device, else relative 2^-22.
GRADUS_DEVICE float log2_approx(float x) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
#else
  return log2f(x);
#endif
}
// The smaller of two; NaN if either is.
GRADUS_DEVICE float min_or_nan(float x, float y) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
  return r;
#else
  return x != x || x < y ? x : y;
#endif
}
// 1/x: error 1 ulp on the device, subnormals flushed.
GRADUS_DEVICE float rcp_approx(float x) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
#else
  return 1.0f / x;
#endif
}

// Transposes a 4x4 of words across a quad: lane t's word s becomes lane s's word t.
GRADUS_DEVICE void transpose_quad(uint32_t (&v)[4], bool odd, bool high) {
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t got = __shfl_xor_sync(0xffffffffu, odd ? v[i] : v[i + 1], 1);
    v[i] = odd ? got : v[i];
    v[i + 1] = odd ? v[i + 1] : got;
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const uint32_t got = __shfl_xor_sync(0xffffffffu, high ? v[i] : v[i + 2], 2);
    v[i] = high ? got : v[i];
    v[i + 2] = high ? v[i + 2] : got;
  }
}

// Lets others go first for a moment.
GRADUS_DEVICE void backoff() {
#if defined(__CUDA_ARCH__)
  asm volatile("nanosleep.u32 20;");
#endif
}

// Holds registers in place: what was computed of them is computed before this, and what reads them does so after it; a wait for products beside it
// keeps its place too.
template <int kCount>
GRADUS_DEVICE void fence_registers(float (&d)[kCount]) {
#if defined(__CUDA_ARCH__)
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
#else
  (void)d;
#endif
}
// tanh(x): relative error 2^-11 on the device (sm_75 and later); use tanhf where that is too coarse.
GRADUS_DEVICE float tanh_approx(float x) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("tanh.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
#else
  return tanhf(x);
#endif
}

// Ids inside a block whose threads are numbered along x.
GRADUS_DEVICE int lane_id() { return static_cast<int>(threadIdx.x & 31u); }
GRADUS_DEVICE int warp_id() { return static_cast<int>(threadIdx.x >> 5); }
GRADUS_DEVICE int warpgroup_id() { return static_cast<int>(threadIdx.x >> 7); }

// The same value in every lane of a warp, which lets the compiler keep it in a uniform register.
GRADUS_DEVICE int warp_uniform(int value) { return __shfl_sync(0xffffffffu, value, 0); }

template <class T>
GRADUS_DEVICE T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

}  // namespace gradus

using namespace gradus;
