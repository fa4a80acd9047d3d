// The emulator's models of gradus/ptx_sm90.cuh and wgmma_sm90.cuh; see there for what each does.
#pragma once
#include "gradus_shim/ptx.h"

namespace gradus {

struct TensorMap;

namespace shim {
void mbarrier_init(uint64_t* bar, uint32_t count, Site site);
void mbarrier_arrive(uint64_t* bar, uint32_t bytes, Site site);
void mbarrier_wait(uint64_t* bar, uint32_t parity, Site site);
void tma_load(void* smem, const void* map, const int* at, int rank, uint64_t* bar, Site site);
void tma_store(const void* map, const void* smem, const int* at, int rank, Site site);
void tma_store_commit();
void tma_store_wait(unsigned newest);
void bulk_load(void* smem, const void* gmem, uint32_t bytes, uint64_t* bar, Site site);
void matrix_product(float* d, int n, const uint32_t* a, uint64_t desc_a, uint64_t desc_b, bool trans_b, bool scale_d, Site site);
void matrix_commit(Site site);
void matrix_wait(unsigned newest, Site site);
bool elect(Site site);
void set_max_registers(Site site);
}  // namespace shim

inline void mbarrier_init(uint64_t* bar, uint32_t count, GRADUS_SITE) { shim::mbarrier_init(bar, count, GRADUS_HERE); }
inline void mbarrier_init_fence() {}
inline void mbarrier_arrive(uint64_t* bar, GRADUS_SITE) { shim::mbarrier_arrive(bar, 0, GRADUS_HERE); }
inline void mbarrier_arrive_expect_tx(uint64_t* bar, uint32_t bytes, GRADUS_SITE) { shim::mbarrier_arrive(bar, bytes, GRADUS_HERE); }
inline void mbarrier_wait(uint64_t* bar, uint32_t parity, GRADUS_SITE) { shim::mbarrier_wait(bar, parity, GRADUS_HERE); }
inline bool elect_one(GRADUS_SITE) { return shim::elect(GRADUS_HERE); }
inline void tma_load_2d(void* smem, const TensorMap* map, int x, int y, uint64_t* bar, GRADUS_SITE) {
  const int at[5] = {x, y};
  shim::tma_load(smem, map, at, 2, bar, GRADUS_HERE);
}
inline void tma_load_3d(void* smem, const TensorMap* map, int x, int y, int z, uint64_t* bar, GRADUS_SITE) {
  const int at[5] = {x, y, z};
  shim::tma_load(smem, map, at, 3, bar, GRADUS_HERE);
}
inline void tma_store_2d(const TensorMap* map, const void* smem, int x, int y, GRADUS_SITE) {
  const int at[5] = {x, y};
  shim::tma_store(map, smem, at, 2, GRADUS_HERE);
}
inline void tma_store_3d(const TensorMap* map, const void* smem, int x, int y, int z, GRADUS_SITE) {
  const int at[5] = {x, y, z};
  shim::tma_store(map, smem, at, 3, GRADUS_HERE);
}
inline void tma_store_commit() { shim::tma_store_commit(); }
template <int N>
inline void tma_store_wait() {
  shim::tma_store_wait(N);
}
inline void tma_prefetch(const TensorMap*) {}
inline void bulk_load(void* smem, const void* gmem, uint32_t bytes, uint64_t* bar, GRADUS_SITE) {
  shim::bulk_load(smem, gmem, bytes, bar, GRADUS_HERE);
}
inline void fence_proxy_async() {}

inline void wgmma_fence() {}
inline void wgmma_commit(GRADUS_SITE) { shim::matrix_commit(GRADUS_HERE); }
template <int N>
inline void wgmma_wait(GRADUS_SITE) {
  static_assert(N >= 0 && N <= 7, "groups");
  shim::matrix_wait(N, GRADUS_HERE);
}
template <int N>
inline void check_width() {
  static_assert(N == 8 || N == 16 || N == 32 || N == 64 || N == 96 || N == 128 || N == 192 || N == 256, "a width that wgmma_sm90.cuh has");
}
template <int N>
inline void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, int scale_d, GRADUS_SITE) {
  check_width<N>();
  shim::matrix_product(d, N, nullptr, a, b, false, scale_d != 0, GRADUS_HERE);
}
template <int N>
inline void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int scale_d, GRADUS_SITE) {
  check_width<N>();
  shim::matrix_product(d, N, a, 0, b, false, scale_d != 0, GRADUS_HERE);
}
template <int N>
inline void wgmma_m64k16_bt(float (&d)[N / 2], uint64_t a, uint64_t b, int scale_d, GRADUS_SITE) {
  check_width<N>();
  shim::matrix_product(d, N, nullptr, a, b, true, scale_d != 0, GRADUS_HERE);
}
template <int N>
inline void wgmma_m64k16_bt(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int scale_d, GRADUS_SITE) {
  check_width<N>();
  shim::matrix_product(d, N, a, 0, b, true, scale_d != 0, GRADUS_HERE);
}

template <int R>
inline void setmaxnreg_inc(GRADUS_SITE) {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0, "registers per thread");
  shim::set_max_registers(GRADUS_HERE);
}
template <int R>
inline void setmaxnreg_dec(GRADUS_SITE) {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0, "registers per thread");
  shim::set_max_registers(GRADUS_HERE);
}

}  // namespace gradus
