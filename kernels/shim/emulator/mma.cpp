// Matrix instructions of a warp: mma.sync, ldmatrix, stmatrix. The last lane to come computes for all 32.
#include "gradus_shim/ptx.h"
#include "worker.h"

namespace gradus::shim {

namespace {

struct MmaArg {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

void need_whole_warp(uint32_t arrived, const char* what) {
  if (arrived != 0xffffffffu) fail(format("%s by lanes %08x of a warp; all 32 must take part", what, arrived));
}

inline float low(uint32_t pair) {
  const uint32_t u = pair << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
inline float high(uint32_t pair) {
  const uint32_t u = pair & 0xffff0000u;
  float f;
  memcpy(&f, &u, 4);
  return f;
}

typedef float Row8 __attribute__((vector_size(32)));

inline __attribute__((always_inline)) void product_16816(Fiber* const lanes[32]) {
  alignas(64) float a[16][16];
  Row8 b[16], d[16];
  for (int l = 0; l < 32; ++l) {
    const MmaArg& arg = *static_cast<MmaArg*>(lanes[l]->collective_arg);
    const int g = l >> 2, t = l & 3;
    for (int i = 0; i < 4; ++i) {
      float* at = &a[g + 8 * (i & 1)][2 * t + 8 * (i >> 1)];
      at[0] = low(arg.a[i]), at[1] = high(arg.a[i]);
    }
    for (int i = 0; i < 2; ++i) b[2 * t + 8 * i][g] = low(arg.b[i]), b[2 * t + 8 * i + 1][g] = high(arg.b[i]);
    for (int i = 0; i < 4; ++i) d[g + 8 * (i >> 1)][2 * t + (i & 1)] = arg.d[i];
  }
  for (int r = 0; r < 16; ++r) {
    Row8 sum = d[r];
    for (int k = 0; k < 16; ++k) sum += a[r][k] * b[k];
    d[r] = sum;
  }
  for (int l = 0; l < 32; ++l) {
    const MmaArg& arg = *static_cast<MmaArg*>(lanes[l]->collective_arg);
    const int g = l >> 2, t = l & 3;
    for (int i = 0; i < 4; ++i) arg.d[i] = d[g + 8 * (i >> 1)][2 * t + (i & 1)];
  }
}
__attribute__((target("avx2,fma"))) void product_16816_avx2(Fiber* const lanes[32]) { product_16816(lanes); }
void product_16816_any(Fiber* const lanes[32]) { product_16816(lanes); }

struct MatrixArg {
  uint32_t* r;
  const uint32_t* stored;
  char* row;
};

template <int kMatrices, bool kTransposed, bool kStore>
void move_matrix(Fiber* const lanes[32], uint32_t arrived, uint32_t) {
  need_whole_warp(arrived, kStore ? "stmatrix" : "ldmatrix");
  const auto arg = [&](int l) { return static_cast<MatrixArg*>(lanes[l]->collective_arg); };
  for (int m = 0; m < kMatrices; ++m) {
    for (int l = 0; l < 32; ++l) {
      for (int half = 0; half < 2; ++half) {
        const int row = kTransposed ? 2 * (l & 3) + half : l >> 2, column = kTransposed ? l >> 2 : 2 * (l & 3) + half;
        char* element = arg(8 * m + row)->row + 2 * column;
        if constexpr (kStore) {
          memcpy(element, reinterpret_cast<const char*>(arg(l)->stored + m) + 2 * half, 2);
        } else {
          memcpy(reinterpret_cast<char*>(arg(l)->r + m) + 2 * half, element, 2);
        }
      }
    }
  }
}

void check_row(const void* row, int matrices, const char* what, Site site) {
  if (lane() < 8 * matrices && reinterpret_cast<uintptr_t>(row) % 16) {
    fail(format("%s at %s: row address %p of lane %d is not 16-byte aligned", what, describe(site).c_str(), row, lane()), true);
  }
}

}  // namespace

void mma_16816(float* d, const uint32_t* a, const uint32_t* b, Site site) {
  MmaArg arg{d, a, b};
  meet(0xffffffffu, "mma_m16n8k16", &arg,
       [](Fiber* const lanes[32], uint32_t arrived, uint32_t) {
         need_whole_warp(arrived, "mma_m16n8k16");
         static const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
         wide ? product_16816_avx2(lanes) : product_16816_any(lanes);
       },
       site);
}

void load_matrix(uint32_t* r, const void* row, int matrices, bool transposed, Site site) {
  check_row(row, matrices, "ldmatrix", site);
  MatrixArg arg{r, nullptr, static_cast<char*>(const_cast<void*>(row))};
  const auto act = matrices == 4 ? (transposed ? move_matrix<4, true, false> : move_matrix<4, false, false>)
                                 : (transposed ? move_matrix<2, true, false> : move_matrix<2, false, false>);
  meet(0xffffffffu, "ldmatrix", &arg, act, site);
}

void store_matrix(void* row, const uint32_t* r, int matrices, bool transposed, Site site) {
  require_capability(90, "stmatrix");
  check_row(row, matrices, "stmatrix", site);
  MatrixArg arg{nullptr, r, static_cast<char*>(row)};
  meet(0xffffffffu, "stmatrix", &arg, transposed ? move_matrix<4, true, true> : move_matrix<4, false, true>, site);
}

}  // namespace gradus::shim
