#!/usr/bin/env python3
"""Writes wgmma_sm90.cuh: the operand lists of wgmma are too long to write by hand. Usage: generate_wgmma.py > wgmma_sm90.cuh"""

WIDTHS = [8, 16, 32, 64, 96, 128, 192, 256]

print("""// wgmma.mma_async m64nNk16, bf16 in, f32 out. Written by generate_wgmma.py; change that instead.
//
// wgmma_m64k16<N>(d, a, b, scale_d): D[64][N] = A[64][16] B[N][16]^T + (scale_d ? D : 0), B K-major; wgmma_m64k16_bt: B is MN-major in shared
// memory ([16][N], "transposed"). A is a descriptor (K-major) or four registers of bf16 pairs per thread (the fragment of mma_m16n8k16 for
// rows 16 * (warp % 4) ..). Thread t of the warpgroup, w = t / 32, g = t % 32 / 4, q = t % 4: d[4j + 2h + c] = D[16w + g + 8h][8j + 2q + c].
#pragma once
#if defined(__CUDACC__)

namespace gradus {

template <int N, int kTransB>
struct Wgmma;
""")
for n in WIDTHS:
    regs = n // 2
    d_list = ", ".join(f"%{i}" for i in range(regs))
    outputs = ", ".join(f'"+f"(d[{i}])' for i in range(regs))
    op = f"wgmma.mma_async.sync.aligned.m64n{n}k16.f32.bf16.bf16"
    print(f"""template <int kTransB>
struct Wgmma<{n}, kTransB> {{
  GRADUS_DEVICE static void run(float (&d)[{regs}], uint64_t a, uint64_t b, int scale_d) {{
    asm volatile(
        "{{ .reg .pred p; setp.ne.b32 p, %{regs + 2}, 0;\\n"
        "{op} {{{d_list}}}, %{regs}, %{regs + 1}, p, 1, 1, 0, %{regs + 3}; }}"
        : {outputs}
        : "l"(a), "l"(b), "r"(scale_d), "n"(kTransB));
  }}
  GRADUS_DEVICE static void run(float (&d)[{regs}], const uint32_t (&a)[4], uint64_t b, int scale_d) {{
    asm volatile(
        "{{ .reg .pred p; setp.ne.b32 p, %{regs + 5}, 0;\\n"
        "{op} {{{d_list}}}, {{%{regs}, %{regs + 1}, %{regs + 2}, %{regs + 3}}}, %{regs + 4}, p, 1, 1, %{regs + 6}; }}"
        : {outputs}
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(scale_d), "n"(kTransB));
  }}
}};
""")
print("""template <int N>
GRADUS_DEVICE void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, int scale_d) {
  Wgmma<N, 0>::run(d, a, b, scale_d);
}
template <int N>
GRADUS_DEVICE void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int scale_d) {
  Wgmma<N, 0>::run(d, a, b, scale_d);
}
template <int N>
GRADUS_DEVICE void wgmma_m64k16_bt(float (&d)[N / 2], uint64_t a, uint64_t b, int scale_d) {
  Wgmma<N, 1>::run(d, a, b, scale_d);
}
template <int N>
GRADUS_DEVICE void wgmma_m64k16_bt(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int scale_d) {
  Wgmma<N, 1>::run(d, a, b, scale_d);
}

}  // namespace gradus
#endif""")
