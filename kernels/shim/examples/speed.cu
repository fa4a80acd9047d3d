// How many of its operations the emulator does in a second of one core, whatever else the machine does. Built and run by speed.rs.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "../emulator/tensor_map.h"
#include "gradus/activation.cuh"
#include "gradus/gemm_epilogue.cuh"
#include "gradus/gemm_sm80.cuh"
#include "gradus/gemm_sm90.cuh"
#include "gradus/linear_sm90.cuh"

namespace sm80 {
#include "../../src/linear/kernel.cu"
}
namespace sm90 {
#include "../../src/linear/kernel_sm90.cu"
}

using namespace gradus;

struct Repeat {
  int times;
  float* out;
};

GRADUS_KERNEL(speed_barriers, Repeat, 256, 1) {
  for (int i = 0; i < p.times; ++i) __syncthreads();
}
GRADUS_KERNEL(speed_mma, Repeat, 32, 1) {
  float d[4] = {};
  const uint32_t a[4] = {threadIdx.x, 0, 0, 0}, b[2] = {0, threadIdx.x};
  for (int i = 0; i < p.times; ++i) mma_m16n8k16(d, a, b);
  p.out[threadIdx.x] = d[0];
}
GRADUS_KERNEL(speed_wgmma, Repeat, 128, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  for (int i = threadIdx.x; i < 24576; i += 128) smem[i] = 0;
  __syncthreads();
  float d[64];
  for (int i = 0; i < p.times; ++i) {
    wgmma_fence();
    for (int k = 0; k < 4; ++k) wgmma_m64k16<128>(d, wgmma_desc_k128(smem + 32 * k), wgmma_desc_k128(smem + 8192 + 32 * k), i + k != 0);
    wgmma_commit();
    wgmma_wait<0>();
  }
  p.out[threadIdx.x] = d[0];
}

namespace {

constexpr int kM = 512, kN = 128, kK = 1024;
alignas(128) bf16 x[kM * kK], w[kN * kK], out[kM * kN];
float sink[128];

TensorMap map_of(const bf16* rows, uint64_t count, unsigned box_rows) {
  shim::TensorMapBits bits{};
  bits.magic = bits.kMagic;
  bits.rank = 2, bits.element_bytes = 2, bits.swizzle = 3;
  bits.address = reinterpret_cast<uint64_t>(rows);
  bits.size[0] = kK, bits.size[1] = count, bits.stride[0] = 2 * kK, bits.box[0] = 64, bits.box[1] = box_rows;
  TensorMap map;
  std::memcpy(&map, &bits, sizeof bits);
  return map;
}

// Best of three; `operations` in one launch.
template <class Params>
void measure(const char* what, const char* symbol, const Params& params, unsigned blocks, unsigned threads, size_t smem, double operations) {
  double best = 1e30;
  for (int i = 0; i < 3; ++i) {
    shim::Launch launch;
    launch.kernel = shim::find_kernel(symbol);
    if (!launch.kernel) std::printf("no kernel %s\n", symbol), std::exit(1);
    launch.grid = {blocks, 1, 1};
    launch.block = {threads, 1, 1};
    launch.dynamic_bytes = smem;
    launch.params = &params;
    const std::clock_t begun = std::clock();
    const auto outcome = shim::run(launch, 1);
    const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
    if (outcome.failed) std::printf("%s\n", outcome.message.c_str()), std::exit(1);
    best = seconds < best ? seconds : best;
  }
  std::printf("%-62s %9.3g a second\n", what, operations / best);
}

}  // namespace

int main() {
  for (int i = 0; i < kM * kK; ++i) x[i] = to_bf16(static_cast<float>(i % 17 - 8));
  for (int i = 0; i < kN * kK; ++i) w[i] = to_bf16(static_cast<float>(i % 13 - 6));
  measure("threads switched, at __syncthreads of 256", "gradus_speed_barriers", Repeat{20000, sink}, 1, 256, 0, 20000.0 * 256);
  measure("mma.sync m16n8k16", "gradus_speed_mma", Repeat{100000, sink}, 1, 32, 0, 100000);
  measure("wgmma m64n128k16, four to a group", "gradus_speed_wgmma", Repeat{2500, sink}, 1, 128, 24576, 10000);
  const double tiles = double{kM / 128} * (kN / 128) * (kK / 64);
  LinearParams plain;
  std::memset(&plain, 0, sizeof plain);
  plain.x = x, plain.w = w, plain.out = out;
  plain.x_stride = plain.w_stride = kK, plain.out_stride = kN;
  plain.m = kM, plain.n = kN, plain.k = kK;
  measure("product's tiles 128x128x64, mma.sync (linear_bf16)", "gradus_linear_bf16", plain, kM / 128, 128, 49152, tiles);
  sm90::LinearSm90Params hopper;
  std::memset(&hopper, 0, sizeof hopper);
  hopper.x = map_of(x, kM, 128), hopper.w = map_of(w, kN, 128);
  hopper.linear.out = out, hopper.linear.out_stride = kN;
  hopper.linear.m = kM, hopper.linear.n = kN, hopper.linear.k = kK;
  measure("product's tiles 128x128x64, wgmma (linear_sm90_middle_bf16)", "gradus_linear_sm90_middle_bf16", hopper, 4, 384, 229488, tiles);
}
