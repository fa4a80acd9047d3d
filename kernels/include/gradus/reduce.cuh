// Sums and maxima over a warp or a block, in a fixed order: a butterfly over lanes, then warps in their order. Every thread gets the
// result, and the same bits on every run.
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

// Over the whole warp; all 32 lanes call.
GRADUS_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}
GRADUS_DEVICE double warp_sum(double x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}
GRADUS_DEVICE float warp_max(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

// Over groups of `kLanes` neighbouring lanes (2, 4, 8, 16 or 32).
template <int kLanes>
GRADUS_DEVICE float lanes_sum(float x) {
  static_assert(kLanes > 0 && kLanes <= 32 && (kLanes & (kLanes - 1)) == 0, "a power of two of lanes");
#pragma unroll
  for (int step = kLanes / 2; step > 0; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}
template <int kLanes>
GRADUS_DEVICE float lanes_max(float x) {
  static_assert(kLanes > 0 && kLanes <= 32 && (kLanes & (kLanes - 1)) == 0, "a power of two of lanes");
#pragma unroll
  for (int step = kLanes / 2; step > 0; step >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

// Over a block of `kThreads` threads along x (a multiple of 32, at most 1024); all threads call. `scratch` is shared memory of
// kThreads / 32 elements, free again when the function returns.
template <int kThreads, class T>
GRADUS_DEVICE T block_sum(T x, T* scratch) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024, "whole warps");
  constexpr int kWarps = kThreads / 32;
  x = warp_sum(x);
  if constexpr (kWarps == 1) return x;
  if (lane_id() == 0) scratch[warp_id()] = x;
  __syncthreads();
  T sum = scratch[0];
#pragma unroll
  for (int w = 1; w < kWarps; ++w) sum += scratch[w];
  __syncthreads();
  return sum;
}
template <int kThreads>
GRADUS_DEVICE float block_max(float x, float* scratch) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024, "whole warps");
  constexpr int kWarps = kThreads / 32;
  x = warp_max(x);
  if constexpr (kWarps == 1) return x;
  if (lane_id() == 0) scratch[warp_id()] = x;
  __syncthreads();
  float most = scratch[0];
#pragma unroll
  for (int w = 1; w < kWarps; ++w) most = fmaxf(most, scratch[w]);
  __syncthreads();
  return most;
}

}  // namespace gradus
