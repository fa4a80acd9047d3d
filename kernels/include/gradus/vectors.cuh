// Rows in 16-byte pieces: loads that do not stay in the first cache, ragged ends, and which piece a thread owns.
//
// Every row starts at 16 bytes; its length is arbitrary. A *unit* is four or eight neighbouring values of one row, the last of which may be
// partial. Padding behind a row is neither read nor written.
#pragma once
#include "gradus/cuda.cuh"

namespace gradus {

// Loads of what is read once. They are marked to be evicted first, so that weights, tables and indices, which every row reads, stay.
GRADUS_DEVICE float4 load_once(const float4* p) {
#if defined(__CUDA_ARCH__)
  return __ldcs(p);
#else
  return *p;
#endif
}
GRADUS_DEVICE uint4 load_once(const uint4* p) {
#if defined(__CUDA_ARCH__)
  return __ldcs(p);
#else
  return *p;
#endif
}
GRADUS_DEVICE uint2 load_once(const uint2* p) {
#if defined(__CUDA_ARCH__)
  return __ldcs(p);
#else
  return *p;
#endif
}

// Four values, widened; aligned to four of them.
GRADUS_DEVICE float4 load4(const float* p) { return load_once(reinterpret_cast<const float4*>(p)); }
GRADUS_DEVICE float4 load4(const bf16* p) {
  const uint2 v = load_once(reinterpret_cast<const uint2*>(p));
  const float2 a = unpack_bf16x2(v.x), b = unpack_bf16x2(v.y);
  return make_float4(a.x, a.y, b.x, b.y);
}
GRADUS_DEVICE float2 unpack_f16x2(uint32_t pair) {
  const f16 lo{static_cast<uint16_t>(pair & 0xffffu)}, hi{static_cast<uint16_t>(pair >> 16)};
  return make_float2(to_float(lo), to_float(hi));
}
GRADUS_DEVICE float4 load4(const f16* p) {
  const uint2 v = load_once(reinterpret_cast<const uint2*>(p));
  const float2 a = unpack_f16x2(v.x), b = unpack_f16x2(v.y);
  return make_float4(a.x, a.y, b.x, b.y);
}
GRADUS_DEVICE void store4(float* p, float4 v) { store16f(p, v); }
GRADUS_DEVICE void store4(bf16* p, float4 v) {
  uint2 packed;
  packed.x = pack_bf16x2(v.x, v.y);
  packed.y = pack_bf16x2(v.z, v.w);
  *reinterpret_cast<uint2*>(p) = packed;
}

GRADUS_DEVICE float to_float(float x) { return x; }
GRADUS_DEVICE void store1(float* p, float v) { *p = v; }
GRADUS_DEVICE void store1(bf16* p, float v) { *p = to_bf16(v); }

// The first n (1, 2 or 3) of four values; the rest is 0.
template <class T>
GRADUS_DEVICE float4 load_part(const T* p, uint32_t n) {
  float4 v = make_float4(to_float(p[0]), 0.f, 0.f, 0.f);
  if (n > 1) v.y = to_float(p[1]);
  if (n > 2) v.z = to_float(p[2]);
  return v;
}
template <class T>
GRADUS_DEVICE void store_part(T* p, float4 v, uint32_t n) {
  store1(p, v.x);
  if (n > 1) store1(p + 1, v.y);
  if (n > 2) store1(p + 2, v.z);
}

// Eight bf16 in 16 bytes, and as f32.
struct Eight {
  float v[8];
};
GRADUS_DEVICE Eight unpack8(uint4 packed) {
  const float2 a = unpack_bf16x2(packed.x), b = unpack_bf16x2(packed.y), c = unpack_bf16x2(packed.z), d = unpack_bf16x2(packed.w);
  return Eight{{a.x, a.y, b.x, b.y, c.x, c.y, d.x, d.y}};
}
GRADUS_DEVICE uint4 pack8(const Eight& e) {
  return make_uint4(pack_bf16x2(e.v[0], e.v[1]), pack_bf16x2(e.v[2], e.v[3]), pack_bf16x2(e.v[4], e.v[5]), pack_bf16x2(e.v[6], e.v[7]));
}
// Eight f32 at 16 bytes that many rows share: cached.
GRADUS_DEVICE Eight load8_shared(const float* p) {
  const float4 a = load16f(p), b = load16f(p + 4);
  return Eight{{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
GRADUS_DEVICE uint4 load16_once(const void* p) { return load_once(reinterpret_cast<const uint4*>(p)); }

// Rows laid end to end in units, cut into equal shares for blocks: no thread idles but in the last block, whatever the width. Which thread
// computes a unit does not change its bits, for these kernels' units do not meet.
struct UnitCursor {
  uint64_t row;    // of the block's first unit
  uint32_t first;  // that unit in its row
  uint32_t per_row;

  GRADUS_DEVICE UnitCursor(uint32_t units_per_row, uint32_t units_per_block) : per_row(units_per_row) {
    const uint64_t unit = static_cast<uint64_t>(blockIdx.x) * units_per_block;
    if ((unit >> 32) == 0) {  // a 64-bit division is a loop
      row = static_cast<uint32_t>(unit) / per_row;
    } else {
      row = unit / per_row;
    }
    first = static_cast<uint32_t>(unit - row * per_row);
  }
  // The block's i-th unit: returns its row, and its place there.
  GRADUS_DEVICE uint64_t locate(uint32_t i, uint32_t& unit) const {
    const uint32_t at = first + i, skipped = at / per_row;
    unit = at - skipped * per_row;
    return row + skipped;
  }
};

}  // namespace gradus
