// Each primitive against its definition, and planted bugs. A program: primitives CASE forward|reverse, prints what the case found.
#include <cstdio>
#include <cstdlib>

#include "../emulator/tensor_map.h"
#include "gradus/ptx_sm90.cuh"
#include "gradus/reduce.cuh"

struct Params {
  alignas(64) TensorMap map;
  const float* in;
  const bf16* half;
  float* out;
};

// C[16][8] = A[16][16] B[8][16]^T through ldmatrix and mma.
GRADUS_KERNEL(mma, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(bf16, smem);
  const int l = lane_id(), g = l / 4, t = l % 4;
  for (int i = l; i < 24 * 16; i += 32) smem[i] = p.half[i];
  __syncwarp();
  uint32_t a[4], b[2], bt[2];
  ldmatrix_x4(a, smem + (l % 16) * 16 + l / 16 * 8);
  ldmatrix_x2(b, smem + 256 + (l % 8) * 16 + l / 8 % 2 * 8);
  // The same B from its transpose.
  bf16* const turned = smem + 512;
  for (int i = l; i < 128; i += 32) turned[i % 16 * 8 + i / 16] = smem[256 + i];
  __syncwarp();
  ldmatrix_x2_trans(bt, turned + (l % 16) * 8);
  float d[4] = {}, e[4] = {};
  mma_m16n8k16(d, a, b);
  mma_m16n8k16(e, a, bt);
  for (int i = 0; i < 4; ++i) {
    const int at = (g + i / 2 * 8) * 8 + 2 * t + i % 2;
    p.out[at] = d[i] == e[i] ? d[i] : NAN;
  }
}

// C[64][64] = A[64][64] B[64][64]^T: TMA with the 128-byte swizzle, wgmma; block 1: B transposed, block 2: A from registers.
GRADUS_KERNEL(wgmma, Params, 128, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  uint64_t* const bar = reinterpret_cast<uint64_t*>(smem + 16384);
  if (threadIdx.x == 0) {
    mbarrier_init(bar, 1);
    mbarrier_init_fence();
    mbarrier_arrive_expect_tx(bar, 16384);
    tma_load_2d(smem, &p.map, 0, 0, bar);
    tma_load_2d(smem + 8192, &p.map, 0, 64, bar);
  }
  __syncthreads();
  mbarrier_wait(bar, 0);
  float d[32];
  const int t = threadIdx.x, row = t / 32 * 16 + t % 32 / 4, q = t % 4;
  wgmma_fence();
  for (int k = 0; k < 4; ++k) {
    if (blockIdx.x == 0) {
      wgmma_m64k16<64>(d, wgmma_desc_k128(smem + 32 * k), wgmma_desc_k128(smem + 8192 + 32 * k), k != 0);
    } else if (blockIdx.x == 1) {
      wgmma_m64k16_bt<64>(d, wgmma_desc_k128(smem + 32 * k), wgmma_desc_mn128(smem + 8192 + 2048 * k, 8192), k != 0);
    } else {
      uint32_t a[4];
      for (int i = 0; i < 4; ++i) memcpy(&a[i], p.half + (row + i % 2 * 8) * 64 + 16 * k + 2 * q + i / 2 * 8, 4);
      wgmma_m64k16<64>(d, a, wgmma_desc_k128(smem + 8192 + 32 * k), k != 0);
    }
  }
  wgmma_commit();
  if (d[0] == d[0]) p.out[0] = NAN;  // not ready before the wait
  wgmma_wait<0>();
  for (int i = 0; i < 32; ++i) p.out[blockIdx.x * 4096 + (row + i / 2 % 2 * 8) * 64 + i / 4 * 8 + 2 * q + i % 2] = d[i];
}

// A box over the tensor's edge: what lies outside is zero.
GRADUS_KERNEL(edge, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(bf16, smem);
  uint64_t* const bar = reinterpret_cast<uint64_t*>(smem + 4096);
  if (threadIdx.x == 0) {
    mbarrier_init(bar, 1);
    mbarrier_arrive_expect_tx(bar, 8192);
    tma_load_2d(smem, &p.map, 32, 100, bar);
  }
  __syncwarp();
  mbarrier_wait(bar, 0);
  for (int i = threadIdx.x; i < 4096; i += 32) p.out[i] = to_float(smem[i / 64 * 64 + ((i % 64 / 8) ^ (i / 64 % 8)) * 8 + i % 8]);
}

GRADUS_KERNEL(masks, Params, 40, 1) {
  if (threadIdx.x == 3) return;  // exited lanes are not waited for; the second warp has 8 lanes
  const float v = __shfl_down_sync(0xffffffffu, static_cast<float>(threadIdx.x), 1);
  p.out[threadIdx.x] = v;
}
GRADUS_KERNEL(divergent_barrier, Params, 64, 1) {
  if (threadIdx.x < 32) __syncthreads();
  named_barrier_sync(1, 64);
}
GRADUS_KERNEL(divergent_warp, Params, 32, 1) {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
GRADUS_KERNEL(race, Params, 64, 1) {
  __shared__ float x[64];
  x[threadIdx.x] = static_cast<float>(threadIdx.x);
  p.out[threadIdx.x] = x[63 - threadIdx.x];  // a __syncthreads is missing
}
GRADUS_KERNEL(copy_without_wait, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(float, smem);
  if (threadIdx.x < 8) cp_async_16(smem + threadIdx.x * 4, p.in + threadIdx.x * 4, 8);
  cp_async_commit();
  if (blockIdx.x == 0) cp_async_wait<0>();
  __syncwarp();
  p.out[blockIdx.x * 32 + threadIdx.x] = smem[threadIdx.x];
  __syncwarp();
  cp_async_wait<0>();
}
GRADUS_KERNEL(load_without_wait, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(float, smem);
  uint64_t* const bar = reinterpret_cast<uint64_t*>(smem + 64);
  if (threadIdx.x == 0) {
    mbarrier_init(bar, 1);
    mbarrier_arrive_expect_tx(bar, 128);
    bulk_load(smem, p.in, 128, bar);
  }
  __syncwarp();
  p.out[threadIdx.x] = smem[threadIdx.x];
  mbarrier_wait(bar, 0);
}
GRADUS_KERNEL(missing_bytes, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(float, smem);
  uint64_t* const bar = reinterpret_cast<uint64_t*>(smem + 64);
  if (threadIdx.x == 0) {
    mbarrier_init(bar, 1);
    mbarrier_arrive_expect_tx(bar, 192);
    bulk_load(smem, p.in, 128, bar);
  }
  __syncwarp();
  mbarrier_wait(bar, 0);
}
GRADUS_KERNEL(stale_shared, Params, 32, 1) {
  __shared__ float x[32];
  GRADUS_DYNAMIC_SMEM(float, smem);
  p.out[threadIdx.x] = x[threadIdx.x] == x[threadIdx.x] || smem[threadIdx.x] == smem[threadIdx.x] ? 1.0f : 0.0f;
  x[threadIdx.x] = smem[threadIdx.x] = 1.0f;
}
GRADUS_KERNEL(past_the_end, Params, 32, 1) {
  GRADUS_DYNAMIC_SMEM(float, smem);
  smem[5120 + threadIdx.x] = 0.0f;
}

namespace {

float out[3 * 4096];
Params params;
alignas(16) float in[64];
alignas(16) bf16 half[128 * 64];
bool reverse;

gradus::shim::Outcome run(const char* symbol, unsigned blocks, unsigned threads) {
  for (float& x : out) x = -7.0f;
  gradus::shim::Launch launch;
  launch.kernel = gradus::shim::find_kernel(symbol);
  launch.grid = {blocks, 1, 1};
  launch.block = {threads, 1, 1};
  launch.dynamic_bytes = 20480;
  launch.params = &params;
  launch.reverse = reverse;
  auto outcome = gradus::shim::run(launch, 1);
  if (outcome.failed) std::printf("%s\n", outcome.message.c_str());
  return outcome;
}
float at(int i) { return to_float(half[i]); }
void check(bool fine, const char* what) {
  if (!fine) std::printf("WRONG: %s\n", what), std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  check(argc == 3, "usage: primitives CASE ORDER");
  const std::string name = argv[1];
  reverse = std::string(argv[2]) == "reverse";
  for (int i = 0; i < 64; ++i) in[i] = static_cast<float>(i + 1);
  for (int i = 0; i < 128 * 64; ++i) half[i] = to_bf16(static_cast<float>((i * 37 + i / 64 * 11) % 17 - 8));
  gradus::shim::TensorMapBits bits{};
  bits.magic = bits.kMagic;
  bits.rank = 2, bits.element_bytes = 2, bits.swizzle = 3;
  bits.address = reinterpret_cast<uint64_t>(half);
  bits.size[0] = 64, bits.size[1] = 128, bits.stride[0] = 128, bits.box[0] = 64, bits.box[1] = 64;
  memcpy(&params.map, &bits, sizeof bits);
  params.in = in, params.half = half, params.out = out;
  const unsigned blocks = name == "wgmma" ? 3 : name == "copy_without_wait" || name == "stale_shared" ? 2 : 1;
  const unsigned threads = name == "wgmma" ? 128 : name == "masks" ? 40 : name == "divergent_barrier" || name == "race" ? 64 : 32;
  if (run(("gradus_" + name).c_str(), blocks, threads).failed) return 2;
  if (name == "mma") {
    for (int r = 0; r < 16; ++r)
      for (int c = 0; c < 8; ++c) {
        float sum = 0;
        for (int k = 0; k < 16; ++k) sum += at(r * 16 + k) * at(256 + c * 16 + k);
        check(out[r * 8 + c] == sum, "mma element");
      }
  } else if (name == "wgmma") {
    for (int b = 0; b < 3; ++b)
      for (int r = 0; r < 64; ++r)
        for (int c = 0; c < 64; ++c) {
          float sum = 0;
          for (int k = 0; k < 64; ++k) sum += at(r * 64 + k) * (b == 1 ? at(4096 + k * 64 + c) : at(4096 + c * 64 + k));
          check(out[b * 4096 + r * 64 + c] == sum, b == 0 ? "both from descriptors" : b == 1 ? "B transposed" : "A from registers");
        }
  } else if (name == "edge") {
    for (int r = 0; r < 64; ++r)
      for (int c = 0; c < 64; ++c) check(out[r * 64 + c] == (r < 28 && c < 32 ? at((100 + r) * 64 + 32 + c) : 0.0f), "element of the box");
  } else if (name == "masks") {
    for (int t = 0; t < 40; ++t) {
      if (t == 3) continue;
      const bool none = t == 2 || t == 39;
      check(none ? out[t] != out[t] : out[t] == static_cast<float>(t == 31 ? 31 : t + 1), "lane");
    }
  } else if (name == "copy_without_wait") {
    for (int i = 0; i < 32; ++i) {
      check(out[i] == (i % 4 < 2 ? in[i] : 0.0f), "landed, and zero past src_bytes");
      check(out[32 + i] != out[32 + i], "poison before the wait");
    }
  } else if (name == "load_without_wait") {
    for (int i = 0; i < 32; ++i) check(out[i] != out[i], "poison before the wait");
  } else if (name == "stale_shared") {
    for (int i = 0; i < 32; ++i) check(out[i] == 0.0f, "poison at the start of a block");
  }
  for (int i = 0; i < 64; ++i) std::printf("%g ", static_cast<double>(out[i]));
  return 0;
}
