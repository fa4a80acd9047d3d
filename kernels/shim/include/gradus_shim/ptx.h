// The emulator's models of gradus/ptx.cuh; see there for what each does.
#pragma once
#include "gradus_shim/simt.h"

namespace gradus {

namespace shim {
void mma_16816(float* d, const uint32_t* a, const uint32_t* b, Site site);
void load_matrix(uint32_t* r, const void* row, int matrices, bool transposed, Site site);
void store_matrix(void* row, const uint32_t* r, int matrices, bool transposed, Site site);
void copy_async(void* to, const void* from, int bytes, Site site);
void copy_async_commit();
void copy_async_wait(unsigned newest);
uint32_t shared_address(const void* p);
}  // namespace shim

inline uint32_t smem_address(const void* p) { return shim::shared_address(p); }
inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], GRADUS_SITE) { shim::mma_16816(d, a, b, GRADUS_HERE); }
inline void ldmatrix_x4(uint32_t (&r)[4], const void* smem, GRADUS_SITE) { shim::load_matrix(r, smem, 4, false, GRADUS_HERE); }
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* smem, GRADUS_SITE) { shim::load_matrix(r, smem, 4, true, GRADUS_HERE); }
inline void ldmatrix_x2(uint32_t (&r)[2], const void* smem, GRADUS_SITE) { shim::load_matrix(r, smem, 2, false, GRADUS_HERE); }
inline void ldmatrix_x2_trans(uint32_t (&r)[2], const void* smem, GRADUS_SITE) { shim::load_matrix(r, smem, 2, true, GRADUS_HERE); }
inline void stmatrix_x4(void* smem, const uint32_t (&r)[4], GRADUS_SITE) { shim::store_matrix(smem, r, 4, false, GRADUS_HERE); }
inline void stmatrix_x4_trans(void* smem, const uint32_t (&r)[4], GRADUS_SITE) { shim::store_matrix(smem, r, 4, true, GRADUS_HERE); }
inline void cp_async_16(void* smem, const void* gmem, int src_bytes, GRADUS_SITE) { shim::copy_async(smem, gmem, src_bytes, GRADUS_HERE); }
inline void cp_async_commit() { shim::copy_async_commit(); }
template <int N>
inline void cp_async_wait() {
  static_assert(N >= 0, "groups");
  shim::copy_async_wait(N);
}
inline void named_barrier_sync(int id, int threads, GRADUS_SITE) { shim::barrier_sync(id, static_cast<unsigned>(threads), true, GRADUS_HERE); }
inline void named_barrier_arrive(int id, int threads, GRADUS_SITE) { shim::barrier_sync(id, static_cast<unsigned>(threads), false, GRADUS_HERE); }

}  // namespace gradus
