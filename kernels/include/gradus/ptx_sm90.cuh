// PTX of sm_90a: mbarriers, the tensor memory accelerator (TMA), warpgroup matrix products, register hand-over between warps.
//
// The generic and the asynchronous proxy are ordered by hand: fence_proxy_async() between ordinary writes to shared memory and a wgmma or
// TMA store that reads them. The emulator does not model that; everything else here it does.
#pragma once
#include "gradus/ptx.cuh"

namespace gradus {

// A CUtensorMap, passed inside a kernel's parameters.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};
static_assert(sizeof(TensorMap) == 128, "the driver's size");

// How 16-byte chunks are permuted: within 128 (64, 32) bytes by the address' bits 7.. (TMA and wgmma agree).
enum class Swizzle : int { kNone = 0, k128 = 1, k64 = 2, k32 = 3 };

// A wgmma operand in (dynamic) shared memory. K-major: rows of K contiguous elements; groups of 8 rows are `stride_bytes` apart, and without
// swizzle 8-element columns are `leading_bytes` apart. MN-major: K rows of contiguous MN elements; swizzle-wide atoms along MN are
// `leading_bytes` apart, groups of 8 K rows `stride_bytes`. A K-major 128-byte tile advances along K by adding 32 bytes to the address.
GRADUS_DEVICE uint64_t wgmma_desc(const void* smem, Swizzle swizzle, uint32_t leading_bytes, uint32_t stride_bytes) {
  return static_cast<uint64_t>((smem_address(smem) & 0x3ffffu) >> 4) | (static_cast<uint64_t>((leading_bytes & 0x3ffffu) >> 4) << 16) |
         (static_cast<uint64_t>((stride_bytes & 0x3ffffu) >> 4) << 32) | (static_cast<uint64_t>(swizzle) << 62);
}
// The usual tile: rows of 64 bf16 along K (128 bytes), 128-byte swizzle, tile 1024-byte aligned; `smem` may be advanced along K.
GRADUS_DEVICE uint64_t wgmma_desc_k128(const void* smem) { return wgmma_desc(smem, Swizzle::k128, 16, 1024); }
// The same tile read the other way: K rows of 64 contiguous MN elements; the next 64 MN elements are `atom_bytes` further.
GRADUS_DEVICE uint64_t wgmma_desc_mn128(const void* smem, uint32_t atom_bytes) { return wgmma_desc(smem, Swizzle::k128, atom_bytes, 1024); }

// Ends a block of instructions: ptxas moves exponentials ahead of a barrier that others wait at, whatever is volatile, but not out of a block. The loop
// is never entered, which only the caller knows.
GRADUS_DEVICE void end_block(uint32_t zero) {
#pragma unroll 1
  for (; zero != 0; --zero) backoff();
}

}  // namespace gradus

#if !defined(__CUDACC__)
#include "gradus_shim/ptx_sm90.h"
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

namespace gradus {

// An mbarrier is 8 bytes of shared memory. A phase ends when `count` arrivals and all announced bytes have come.
GRADUS_DEVICE void mbarrier_init(uint64_t* bar, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(smem_address(bar)), "r"(count) : "memory");
}
// After the inits by one thread, before a __syncthreads.
GRADUS_DEVICE void mbarrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster; fence.proxy.async.shared::cta;" ::: "memory"); }
GRADUS_DEVICE void mbarrier_arrive(uint64_t* bar) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0]; }" ::"r"(smem_address(bar)) : "memory");
}
GRADUS_DEVICE void mbarrier_arrive_expect_tx(uint64_t* bar, uint32_t bytes) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1; }" ::"r"(smem_address(bar)), "r"(bytes) : "memory");
}
// Until the phase of this parity is over; a fresh barrier is in phase 0, so waiting for parity 1 passes at once.
GRADUS_DEVICE void mbarrier_wait(uint64_t* bar, uint32_t parity) {
  asm volatile(
      "{ .reg .pred done;\n"
      "WAIT_%=: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra WAIT_%=; }" ::"r"(smem_address(bar)),
      "r"(parity)
      : "memory");
}

// True in exactly one lane of a converged warp.
GRADUS_DEVICE bool elect_one() {
  uint32_t chosen;
  asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(chosen)::"memory");
  return chosen != 0;
}

// A box of a tensor to shared memory (128-byte aligned; 1024 for the 128-byte swizzle's pattern), elements outside the tensor are zero. The
// barrier receives the whole box's bytes. Coordinates count elements, innermost first. One thread issues.
GRADUS_DEVICE void tma_load_2d(void* smem, const TensorMap* map, int x, int y, uint64_t* bar) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(smem_address(smem)),
               "l"(map), "r"(x), "r"(y), "r"(smem_address(bar))
               : "memory");
}
GRADUS_DEVICE void tma_load_3d(void* smem, const TensorMap* map, int x, int y, int z, uint64_t* bar) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(
                   smem_address(smem)),
               "l"(map), "r"(x), "r"(y), "r"(z), "r"(smem_address(bar))
               : "memory");
}
// A box of shared memory to a tensor; what lies outside is not written. fence_proxy_async and a barrier first.
GRADUS_DEVICE void tma_store_2d(const TensorMap* map, const void* smem, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(map), "r"(x), "r"(y), "r"(smem_address(smem))
               : "memory");
}
GRADUS_DEVICE void tma_store_3d(const TensorMap* map, const void* smem, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%1, %2, %3}], [%4];" ::"l"(map), "r"(x), "r"(y), "r"(z),
               "r"(smem_address(smem))
               : "memory");
}
GRADUS_DEVICE void tma_store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
// Until at most N of this thread's newest groups still read shared memory.
template <int N>
GRADUS_DEVICE void tma_store_wait() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}
GRADUS_DEVICE void tma_prefetch(const TensorMap* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }
// `bytes` contiguous bytes; addresses and count are multiples of 16.
GRADUS_DEVICE void bulk_load(void* smem, const void* gmem, uint32_t bytes, uint64_t* bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(smem_address(smem)), "l"(gmem),
               "r"(bytes), "r"(smem_address(bar))
               : "memory");
}

GRADUS_DEVICE void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Before the first wgmma, and wherever registers of accumulators or A were touched.
GRADUS_DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
GRADUS_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Until at most N of the warpgroup's newest groups are still computing.
template <int N>
GRADUS_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// Hand registers to (from) the other warpgroups of the block; R per thread, a multiple of 8 in 24 .. 256; whole warpgroups.
template <int R>
GRADUS_DEVICE void setmaxnreg_inc() {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0, "registers per thread");
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(R));
}
template <int R>
GRADUS_DEVICE void setmaxnreg_dec() {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0, "registers per thread");
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(R));
}

}  // namespace gradus
#include "gradus/wgmma_sm90.cuh"
#endif
