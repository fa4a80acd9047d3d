// The part of cuBLASLt that our products are compared with, on emulated device memory, which is the process's own: bf16 matrices in columns,
// D = A^T B, sums f32. Every call checks what it is given as far as a caller's mistake would show on a GPU.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

namespace {

enum Status : int { kSuccess = 0, kInvalid = 7, kFailed = 13, kNotSupported = 15 };
constexpr int kF32 = 0, kBf16 = 14, kCompute32F = 68, kTransposeA = 3, kTransposeB = 4, kOpN = 0, kOpT = 1, kWorkspace = 1, kAlgorithmId = 0;
constexpr uint64_t kAlgorithm = 66;

struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t stride;
};
struct Product {
  int compute, scale;
  int32_t transpose[2] = {kOpN, kOpN};
};
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}
uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value)) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Whether D [rows, cols] = A^T B fits.
bool fits(const Product& p, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  const bool types = a.type == kBf16 && b.type == kBf16 && c.type == kBf16 && d.type == kBf16 && p.compute == kCompute32F && p.scale == kF32;
  const bool sizes = a.rows == b.rows && d.rows == a.cols && d.cols == b.cols && c.rows == d.rows && c.cols == d.cols;
  const bool strides = a.stride >= static_cast<int64_t>(a.rows) && b.stride >= static_cast<int64_t>(b.rows) && d.stride >= static_cast<int64_t>(d.rows);
  return types && sizes && strides && p.transpose[0] == kOpT && p.transpose[1] == kOpN;
}

// Gives work to a stream of the emulated driver, which is loaded where there is a stream.
int submit(void* stream, const std::function<int()>& work) {
  using Submit = int (*)(void*, const std::function<int()>*);
  static const auto give = reinterpret_cast<Submit>(dlsym(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD), "gradus_shim_submit"));
  return give && give(stream, &work) == 0 ? kSuccess : kFailed;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT size_t cublasLtGetVersion() { return 130000; }
EXPORT int cublasLtCreate(void** handle) {
  *handle = new int(0);
  return kSuccess;
}
EXPORT int cublasLtDestroy(void* handle) {
  delete static_cast<int*>(handle);
  return kSuccess;
}
EXPORT int cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
  *desc = new Product{compute, scale};
  return kSuccess;
}
EXPORT int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, size_t bytes) {
  if ((attribute != kTransposeA && attribute != kTransposeB) || bytes != 4) return kInvalid;
  std::memcpy(&static_cast<Product*>(desc)->transpose[attribute - kTransposeA], value, 4);
  return kSuccess;
}
EXPORT int cublasLtMatmulDescDestroy(void* desc) {
  delete static_cast<Product*>(desc);
  return kSuccess;
}
EXPORT int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  *layout = new Layout{type, rows, cols, stride};
  return kSuccess;
}
EXPORT int cublasLtMatrixLayoutDestroy(void* layout) {
  delete static_cast<Layout*>(layout);
  return kSuccess;
}
EXPORT int cublasLtMatmulPreferenceCreate(void** preference) {
  *preference = new uint64_t(0);
  return kSuccess;
}
EXPORT int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value, size_t bytes) {
  if (attribute != kWorkspace || bytes != 8) return kInvalid;
  std::memcpy(preference, value, 8);
  return kSuccess;
}
EXPORT int cublasLtMatmulPreferenceDestroy(void* preference) {
  delete static_cast<uint64_t*>(preference);
  return kSuccess;
}
EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, void* desc, void* a, void* b, void* c, void* d, void*, int requested, Heuristic* results, int* returned) {
  *returned = 0;
  if (requested < 1) return kInvalid;
  if (!fits(*static_cast<Product*>(desc), *static_cast<Layout*>(a), *static_cast<Layout*>(b), *static_cast<Layout*>(c), *static_cast<Layout*>(d))) {
    return kNotSupported;
  }
  *results = Heuristic{{{kAlgorithm}}, 1024, kSuccess, 1.0f, {}};
  *returned = 1;
  return kSuccess;
}
EXPORT int cublasLtMatmulAlgoConfigGetAttribute(const Algorithm* algorithm, int attribute, void* value, size_t bytes, size_t* written) {
  if (attribute != kAlgorithmId || bytes != 4) return kInvalid;
  const int32_t id = static_cast<int32_t>(algorithm->data[0]);
  std::memcpy(value, &id, 4);
  if (written != nullptr) *written = 4;
  return kSuccess;
}
EXPORT int cublasLtMatmul(void*, void* desc, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout, const void* beta, const void*,
                          void* c_layout, void* d, void* d_layout, const Algorithm* algorithm, void* workspace, size_t bytes, void* stream) {
  const Layout &la = *static_cast<Layout*>(a_layout), &lb = *static_cast<Layout*>(b_layout), &ld = *static_cast<Layout*>(d_layout);
  if (!fits(*static_cast<Product*>(desc), la, lb, *static_cast<Layout*>(c_layout), ld) || algorithm->data[0] != kAlgorithm) return kInvalid;
  if (bytes < 1024 || workspace == nullptr || *static_cast<const float*>(alpha) != 1.0f || *static_cast<const float*>(beta) != 0.0f) return kInvalid;
  return submit(stream, [=, k = la.rows, a_stride = la.stride, b_stride = lb.stride, out = ld] {
    const uint16_t *pa = static_cast<const uint16_t*>(a), *pb = static_cast<const uint16_t*>(b);
    for (uint64_t col = 0; col < out.cols; col++) {
      for (uint64_t row = 0; row < out.rows; row++) {
        float sum = 0.0f;
        for (uint64_t i = 0; i < k; i++) sum = std::fma(widen(pa[row * a_stride + i]), widen(pb[col * b_stride + i]), sum);
        static_cast<uint16_t*>(d)[col * out.stride + row] = narrow(sum);
      }
    }
    return 0;
  });
}
