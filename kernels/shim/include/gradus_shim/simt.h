// CUDA C++ as a host compiler sees it: qualifiers, indices, vector types, warp functions, atomics, maths.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <type_traits>

#include "gradus_shim/core.h"

#define GRADUS_SHIM 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define __constant__ static
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
#define __restrict__ __restrict
#define GRADUS_DEVICE inline __attribute__((always_inline))

#define GRADUS_KERNEL(name, Params, threads, min_blocks)                                                              \
  static void gradus_shim_body_##name(const Params& p);                                                               \
  static_assert(std::is_trivially_copyable_v<Params>, "parameters are copied as bytes");                              \
  static const ::gradus::shim::Kernel gradus_shim_kernel_##name{                                                      \
      "gradus_" #name, __FILE__, sizeof(Params), (threads), (min_blocks),                                             \
      [](const void* params) { gradus_shim_body_##name(*static_cast<const Params*>(params)); }};                      \
  static void gradus_shim_body_##name([[maybe_unused]] const Params& p)
#define GRADUS_DYNAMIC_SMEM(T, name) T* const name = reinterpret_cast<T*>(::gradus::shim::self().block->dynamic)

#define threadIdx (::gradus::shim::self().tid)
#define blockIdx (::gradus::shim::self().block->bid)
#define blockDim (::gradus::shim::self().block->launch->block)
#define gridDim (::gradus::shim::self().block->launch->grid)
static constexpr int warpSize = 32;

#define GRADUS_VECTOR(T, name, bytes2, bytes4)                                                   \
  struct __attribute__((aligned(bytes2))) name##2 { T x, y; };                                   \
  struct name##3 { T x, y, z; };                                                                 \
  struct __attribute__((aligned(bytes4))) name##4 { T x, y, z, w; };                             \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                     \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                             \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
GRADUS_VECTOR(float, float, 8, 16)
GRADUS_VECTOR(int, int, 8, 16)
GRADUS_VECTOR(unsigned, uint, 8, 16)
GRADUS_VECTOR(unsigned short, ushort, 4, 8)
GRADUS_VECTOR(short, short, 4, 8)
GRADUS_VECTOR(unsigned char, uchar, 2, 4)
GRADUS_VECTOR(double, double, 16, 16)
#undef GRADUS_VECTOR
struct dim3 {
  unsigned x, y, z;
};

namespace gradus::shim {
template <class T>
struct Shuffle {
  T in, out;
  int from;  // lane, or -1: none, the result is poison
};
template <class T>
T shuffle(uint32_t mask, T value, int from, const char* what, Site site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  Shuffle<T> arg{value, value, from};
  meet(mask, what, &arg,
       [](Fiber* const lanes[32], uint32_t arrived, uint32_t) {
         for (uint32_t rest = arrived; rest; rest &= rest - 1) {
           auto* to = static_cast<Shuffle<T>*>(lanes[__builtin_ctz(rest)]->collective_arg);
           if (to->from >= 0 && (arrived >> to->from & 1)) {
             to->out = static_cast<Shuffle<T>*>(lanes[to->from]->collective_arg)->in;
           } else {
             memset(static_cast<void*>(&to->out), kPoison, sizeof(T));
           }
         }
       },
       site);
  return arg.out;
}
struct Vote {
  uint32_t in, out;
};
inline uint32_t ballot(uint32_t mask, uint32_t value, const char* what, Site site) {
  Vote arg{value, 0};
  meet(mask, what, &arg,
       [](Fiber* const lanes[32], uint32_t arrived, uint32_t) {
         uint32_t votes = 0;
         for (uint32_t rest = arrived; rest; rest &= rest - 1) {
           const int l = __builtin_ctz(rest);
           votes |= (static_cast<Vote*>(lanes[l]->collective_arg)->in ? 1u : 0u) << l;
         }
         for (uint32_t rest = arrived; rest; rest &= rest - 1) static_cast<Vote*>(lanes[__builtin_ctz(rest)]->collective_arg)->out = votes;
       },
       site);
  return arg.out;
}
template <class T, class F>
T reduce(uint32_t mask, T value, F, const char* what, Site site) {
  T arg = value;
  meet(mask, what, &arg,
       [](Fiber* const lanes[32], uint32_t arrived, uint32_t) {
         T all = *static_cast<T*>(lanes[__builtin_ctz(arrived)]->collective_arg);
         for (uint32_t rest = arrived & (arrived - 1); rest; rest &= rest - 1) {
           all = F{}(all, *static_cast<T*>(lanes[__builtin_ctz(rest)]->collective_arg));
         }
         for (uint32_t rest = arrived; rest; rest &= rest - 1) *static_cast<T*>(lanes[__builtin_ctz(rest)]->collective_arg) = all;
       },
       site);
  return arg;
}
inline int lane() { return static_cast<int>(self().thread & 31); }
}  // namespace gradus::shim

inline void __syncthreads(GRADUS_SITE) { gradus::shim::sync_threads(GRADUS_HERE); }
inline void __syncwarp(unsigned mask = 0xffffffffu, GRADUS_SITE) { gradus::shim::meet(mask, "__syncwarp", nullptr, nullptr, GRADUS_HERE); }
// Where lanes past a segment's end (or outside it) read, CUDA gives them their own value.
template <class T>
T __shfl_sync(unsigned mask, T v, int from, int width = 32, GRADUS_SITE) {
  const int base = gradus::shim::lane() & ~(width - 1);
  return gradus::shim::shuffle(mask, v, base + (from & (width - 1)), "__shfl_sync", GRADUS_HERE);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32, GRADUS_SITE) {
  const int me = gradus::shim::lane(), from = me ^ x, end = (me & ~(width - 1)) + width;
  return gradus::shim::shuffle(mask, v, from < end ? from : me, "__shfl_xor_sync", GRADUS_HERE);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, GRADUS_SITE) {
  const int me = gradus::shim::lane(), from = me + static_cast<int>(delta), end = (me & ~(width - 1)) + width;
  return gradus::shim::shuffle(mask, v, from < end ? from : me, "__shfl_down_sync", GRADUS_HERE);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, GRADUS_SITE) {
  const int me = gradus::shim::lane(), from = me - static_cast<int>(delta), begin = me & ~(width - 1);
  return gradus::shim::shuffle(mask, v, from >= begin ? from : me, "__shfl_up_sync", GRADUS_HERE);
}
inline unsigned __ballot_sync(unsigned mask, int p, GRADUS_SITE) { return gradus::shim::ballot(mask, p != 0, "__ballot_sync", GRADUS_HERE); }
inline int __any_sync(unsigned mask, int p, GRADUS_SITE) { return gradus::shim::ballot(mask, p != 0, "__any_sync", GRADUS_HERE) != 0; }
inline int __all_sync(unsigned mask, int p, GRADUS_SITE) { return gradus::shim::ballot(mask, p == 0, "__all_sync", GRADUS_HERE) == 0; }
inline unsigned __reduce_add_sync(unsigned mask, unsigned v, GRADUS_SITE) {
  return gradus::shim::reduce(mask, v, [](unsigned a, unsigned b) { return a + b; }, "__reduce_add_sync", GRADUS_HERE);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned v, GRADUS_SITE) {
  return gradus::shim::reduce(mask, v, [](unsigned a, unsigned b) { return a > b ? a : b; }, "__reduce_max_sync", GRADUS_HERE);
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned v, GRADUS_SITE) {
  return gradus::shim::reduce(mask, v, [](unsigned a, unsigned b) { return a < b ? a : b; }, "__reduce_min_sync", GRADUS_HERE);
}
inline int __syncthreads_or(int p, GRADUS_SITE) {
  // Two barriers around a word of the block: everyone votes, then everyone reads.
  static thread_local int any;
  if (gradus::shim::self().thread == 0) any = 0;
  gradus::shim::sync_threads(GRADUS_HERE);
  if (p) any = 1;
  gradus::shim::sync_threads(GRADUS_HERE);
  const int result = any;
  gradus::shim::sync_threads(GRADUS_HERE);
  return result;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
[[noreturn]] inline void __trap() { gradus::shim::fail("__trap()"); }

// Blocks run on several OS threads, so atomics are atomics.
template <class T>
T gradus_atomic_add(T* p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
inline int atomicAdd(int* p, int v) { return gradus_atomic_add(p, v); }
inline unsigned atomicAdd(unsigned* p, unsigned v) { return gradus_atomic_add(p, v); }
inline unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) { return gradus_atomic_add(p, v); }
template <class T, class F>
T gradus_atomic_update(T* p, F change) {
  T old;
  __atomic_load(p, &old, __ATOMIC_RELAXED);
  for (;;) {
    T next = change(old);
    if (__atomic_compare_exchange(p, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return old;
  }
}
inline float atomicAdd(float* p, float v) { return gradus_atomic_update(p, [v](float o) { return o + v; }); }
inline double atomicAdd(double* p, double v) { return gradus_atomic_update(p, [v](double o) { return o + v; }); }
template <class T>
T atomicMax(T* p, T v) { return gradus_atomic_update(p, [v](T o) { return o > v ? o : v; }); }
template <class T>
T atomicMin(T* p, T v) { return gradus_atomic_update(p, [v](T o) { return o < v ? o : v; }); }
template <class T>
T atomicOr(T* p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }
template <class T>
T atomicAnd(T* p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); }
template <class T>
T atomicExch(T* p, T v) { return gradus_atomic_update(p, [v](T) { return v; }); }
template <class T>
T atomicCAS(T* p, T expected, T v) { return gradus_atomic_update(p, [=](T o) { return o == expected ? v : o; }); }

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long min(long a, long b) { return a < b ? a : b; }
inline long max(long a, long b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
inline unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }
inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline int __float2int_rn(float x) { return static_cast<int>(rintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __float2int_rd(float x) { return static_cast<int>(floorf(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __uint_as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
inline float __int_as_float(int u) { float f; memcpy(&f, &u, 4); return f; }
inline unsigned __float_as_uint(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
inline int __float_as_int(float f) { int u; memcpy(&u, &f, 4); return u; }
inline long long __double_as_longlong(double f) { long long u; memcpy(&u, &f, 8); return u; }
inline double __longlong_as_double(long long u) { double f; memcpy(&f, &u, 8); return f; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
  return r;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t all = uint64_t{b} << 32 | a;
  unsigned r = 0;
  for (int i = 0; i < 4; ++i) r |= static_cast<unsigned>(all >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return r;
}
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
template <class T>
T __ldg(const T* p) { return *p; }
template <class T>
T __ldcs(const T* p) { return *p; }
template <class T>
T __ldca(const T* p) { return *p; }
template <class T>
T __ldcg(const T* p) { return *p; }
template <class T>
void __stcs(T* p, T v) { *p = v; }
template <class T>
void __stcg(T* p, T v) { *p = v; }
