// The driver's interface: what cudarc calls. Names, arguments and errors are those of CUDA 13.0's driver API.
#include <cstdio>
#include <cstdlib>

#include "../emulator/tensor_map.h"
#include "state.h"

using namespace gradus::shim;
using namespace gradus::shim::driver;

namespace {

Device* device_of(int ordinal) {
  auto& all = settings().devices;
  return ordinal >= 0 && static_cast<size_t>(ordinal) < all.size() ? all[ordinal] : nullptr;
}

// A kernel's parameters: tensor maps among them are at multiples of 64 bytes.
struct alignas(64) Line {
  char bytes[64];
};
std::vector<Line> copy_params(const void* params, size_t bytes) {
  std::vector<Line> lines((bytes + sizeof(Line) - 1) / sizeof(Line));
  std::memcpy(lines.data(), params, bytes);
  return lines;
}

// A context is its device.
Result run_kernel(Device* device, const Function& function, Dim3 grid, Dim3 block, size_t dynamic_bytes, const std::vector<Line>& params) {
  if (device->lost) return device->lost;
  {
    std::lock_guard hold(device->lock);
    if (device->lost_after >= 0 && device->launches >= static_cast<uint64_t>(device->lost_after)) {
      return device->lost = kEccUncorrectable;
    }
    ++device->launches;
  }
  Launch launch;
  launch.kernel = function.kernel;
  launch.grid = grid;
  launch.block = block;
  launch.dynamic_bytes = dynamic_bytes;
  launch.params = params.data();
  launch.reverse = settings().reverse;
  launch.capability = device->capability;
  const Outcome outcome = run(launch);
  if (!outcome.failed) return kSuccess;
  std::fprintf(stderr, "%s\n", outcome.message.c_str());
  return device->lost = outcome.wild ? kIllegalAddress : kLaunchFailed;
}

}  // namespace

API cuInit(unsigned flags) {
  if (auto failure = planned_failure(__func__)) return failure;
  if (flags != 0) return kInvalidValue;
  return settings().devices.empty() ? kNoDevice : kSuccess;
}
API cuDriverGetVersion(int* version) {
  *version = settings().driver_version;
  return kSuccess;
}
API cuDeviceGetCount(int* count) {
  *count = static_cast<int>(settings().devices.size());
  return planned_failure(__func__);
}
API cuDeviceGet(int* device, int ordinal) {
  if (!device_of(ordinal)) return kInvalidDevice;
  *device = ordinal;
  return planned_failure(__func__);
}
API cuDeviceGetName(char* name, int length, int ordinal) {
  const Device* device = device_of(ordinal);
  if (!device || length <= 0) return kInvalidDevice;
  std::snprintf(name, static_cast<size_t>(length), "Emulated sm_%d%s%s", device->capability, device->mig ? " MIG " : "", device->mig ? device->mig : "");
  return kSuccess;
}
API cuDeviceGetUuid_v2(unsigned char* uuid, int ordinal) {
  if (!device_of(ordinal)) return kInvalidDevice;
  for (int i = 0; i < 16; ++i) uuid[i] = static_cast<unsigned char>(i == 15 ? ordinal : 0xe0 + i);
  return kSuccess;
}
API cuDeviceGetUuid(unsigned char* uuid, int ordinal) { return cuDeviceGetUuid_v2(uuid, ordinal); }
API cuDeviceTotalMem_v2(size_t* bytes, int ordinal) {
  const Device* device = device_of(ordinal);
  if (!device) return kInvalidDevice;
  *bytes = device->memory;
  return kSuccess;
}
API cuDeviceGetAttribute(int* value, int attribute, int ordinal) {
  const Device* device = device_of(ordinal);
  if (!device) return kInvalidDevice;
  const bool hopper = device->capability >= 90, big = device->capability == 80 || hopper;
  switch (attribute) {
    case 1: *value = 1024; break;                                                  // MAX_THREADS_PER_BLOCK
    case 8: *value = 48 * 1024; break;                                             // MAX_SHARED_MEMORY_PER_BLOCK
    case 10: *value = 32; break;                                                   // WARP_SIZE
    case 13: *value = hopper ? 1980000 : 1410000; break;                           // CLOCK_RATE, kHz
    case 16: *value = device->multiprocessors; break;                              // MULTIPROCESSOR_COUNT
    case 36: *value = hopper ? 2619000 : 1215000; break;                           // MEMORY_CLOCK_RATE, kHz
    case 37: *value = 5120; break;                                                 // GLOBAL_MEMORY_BUS_WIDTH
    case 38: *value = hopper ? 50 << 20 : 40 << 20; break;                         // L2_CACHE_SIZE
    case 75: *value = device->capability / 10; break;                              // COMPUTE_CAPABILITY_MAJOR
    case 76: *value = device->capability % 10; break;                              // COMPUTE_CAPABILITY_MINOR
    case 81: *value = hopper ? 228 << 10 : big ? 164 << 10 : 100 << 10; break;     // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    case 97: *value = hopper ? 227 << 10 : big ? 163 << 10 : 99 << 10; break;      // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    case 115: *value = 1; break;                                                   // MEMORY_POOLS_SUPPORTED
    default: *value = 0;
  }
  return kSuccess;
}
API cuDeviceGetDefaultMemPool(void** pool, int ordinal) {
  *pool = device_of(ordinal);
  return *pool ? kSuccess : kInvalidDevice;
}
API cuMemPoolSetAttribute(void* pool, int, void*) { return pool ? kSuccess : kInvalidValue; }
// The pool keeps nothing: as much is reserved as is used.
API cuMemPoolGetAttribute(void* pool, int, unsigned long long* value) {
  if (!pool || !value) return kInvalidValue;
  *value = 0;
  return kSuccess;
}
API cuDevicePrimaryCtxRetain(void** context, int ordinal) {
  if (auto failure = planned_failure(__func__)) return failure;
  *context = device_of(ordinal);
  return *context ? kSuccess : kInvalidDevice;
}
API cuDevicePrimaryCtxRelease_v2(int ordinal) { return device_of(ordinal) ? kSuccess : kInvalidDevice; }
API cuCtxSetCurrent(void* context) {
  set_current(static_cast<Device*>(context));
  return kSuccess;
}
API cuCtxGetCurrent(void** context) {
  *context = current();
  return kSuccess;
}
API cuCtxSetFlags(unsigned) { return current() ? kSuccess : kInvalidContext; }
API cuCtxSynchronize() {
  GRADUS_ENTER(device);
  return finish_all(*device);
}

API cuMemAlloc_v2(uintptr_t* at, size_t bytes) {
  GRADUS_ENTER(device);
  return allocate(*device, bytes, at);
}
API cuMemAllocAsync(uintptr_t* at, size_t bytes, void* handle) {
  GRADUS_ENTER(device);
  const Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  if (stream->recording) return kStreamCaptureUnsupported;
  return allocate(*device, bytes, at);
}
API cuMemFree_v2(uintptr_t at) {
  GRADUS_ENTER(device);
  if (auto failure = finish_all(*device)) return failure;
  if (auto failure = count_freed(*device, at)) return failure;
  return release(*device, at);
}
API cuMemFreeAsync(uintptr_t at, void* handle) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  if (stream->recording) return kStreamCaptureUnsupported;
  // What comes after it in the stream may have the memory: it is free to whoever counts.
  Device* on = stream->device;
  if (auto failure = count_freed(*on, at)) return failure;
  return submit(stream, {[=] { return release(*on, at); }});
}
API cuMemGetInfo_v2(size_t* free, size_t* total) {
  GRADUS_ENTER(device);
  std::lock_guard hold(device->lock);
  *total = device->memory;
  *free = device->memory - device->used;
  return kSuccess;
}
API cuMemHostAlloc(void** at, size_t bytes, unsigned) {
  GRADUS_ENTER(device);
  *at = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*at) return kOutOfMemory;
  note_pinned(*at, bytes);
  return kSuccess;
}
API cuMemFreeHost(void* at) {
  forget_pinned(at);
  std::free(at);
  return kSuccess;
}

API cuModuleLoadData(void** module, const void* image) {
  GRADUS_ENTER(device);
  // Kernels are in this library; the image only has to look like one: an ELF file, or PTX text.
  const char* bytes = static_cast<const char*>(image);
  if (std::memcmp(bytes, "\177ELF", 4) != 0 && std::memcmp(bytes, "//", 2) != 0 && std::memcmp(bytes, ".ver", 4) != 0) return kInvalidImage;
  *module = new Module{device, {}};
  return kSuccess;
}
API cuModuleUnload(void* module) {
  delete static_cast<Module*>(module);
  return kSuccess;
}
API cuModuleGetFunction(void** out, void* handle, const char* symbol) {
  GRADUS_ENTER(device);
  auto* module = static_cast<Module*>(handle);
  const Kernel* kernel = find_kernel(symbol);
  if (!kernel) return kNotFound;
  *out = &module->functions.try_emplace(symbol, Function{kernel}).first->second;
  return kSuccess;
}
API cuFuncGetAttribute(int* value, int attribute, void* handle) {
  const auto* function = static_cast<Function*>(handle);
  switch (attribute) {
    case 0: *value = static_cast<int>(function->kernel->max_threads); break;    // MAX_THREADS_PER_BLOCK
    case 8: *value = static_cast<int>(function->dynamic_bytes_max); break;      // MAX_DYNAMIC_SHARED_SIZE_BYTES
    default: *value = 0;  // static shared memory, registers, local memory: not known here
  }
  return kSuccess;
}
API cuFuncSetAttribute(void* handle, int attribute, int value) {
  GRADUS_ENTER(device);
  int most = 0;
  cuDeviceGetAttribute(&most, 97, device->ordinal);
  if (attribute == 8) {
    if (value < 0 || value > most) return kInvalidValue;
    static_cast<Function*>(handle)->dynamic_bytes_max = static_cast<size_t>(value);
  }
  return kSuccess;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t) {
  const auto* function = static_cast<Function*>(handle);
  *blocks = threads > 0 && threads <= static_cast<int>(function->kernel->max_threads) ? static_cast<int>(function->kernel->min_blocks) : 0;
  return kSuccess;
}
API cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dynamic_bytes,
                   void* stream_handle, void** params, void**) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(stream_handle);
  if (!stream) return kInvalidHandle;
  const Function function = *static_cast<Function*>(handle);
  const Dim3 grid{gx, gy, gz}, block{bx, by, bz};
  if (!grid.count() || !block.count() || gy > 65535 || gz > 65535 || gx > 0x7fffffffu) return kInvalidValue;
  if (block.count() > function.kernel->max_threads) return kInvalidValue;
  if (dynamic_bytes > function.dynamic_bytes_max) return kInvalidValue;
  const std::vector<Line> copied = copy_params(params[0], function.kernel->params_size);
  Device* on = stream->device;
  return submit(stream, {[=] { return run_kernel(on, function, grid, block, dynamic_bytes, copied); }});
}

API cuTensorMapEncodeTiled(void* out, int type, unsigned rank, void* address, const uint64_t* size, const uint64_t* stride,
                           const unsigned* box, const unsigned* element_stride, int interleave, int swizzle, int, int fill) {
  if (auto failure = planned_failure(__func__)) return failure;
  // Bytes of u8, u16, u32, i32, u64, i64, f16, f32, f64, bf16, f32 with denormals flushed, tf32, tf32 flushed.
  static const uint8_t widths[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  if (type < 0 || type > 12 || rank < 1 || rank > 5 || reinterpret_cast<uintptr_t>(out) % 64 != 0) return kInvalidValue;
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0 || interleave != 0 || swizzle < 0 || swizzle > 3) return kInvalidValue;
  TensorMapBits bits{};
  bits.magic = TensorMapBits::kMagic;
  bits.rank = static_cast<uint8_t>(rank);
  bits.element_bytes = widths[type];
  bits.swizzle = static_cast<uint8_t>(swizzle);
  bits.address = reinterpret_cast<uint64_t>(address);
  bits.nan_fill = static_cast<uint32_t>(fill);
  for (unsigned i = 0; i < rank; ++i) {
    if (size[i] == 0 || size[i] > uint64_t{1} << 32 || box[i] == 0 || box[i] > 256 || element_stride[i] != 1) return kInvalidValue;
    bits.size[i] = size[i];
    bits.box[i] = box[i];
    if (i + 1 < rank) {
      if (stride[i] % 16 != 0 || stride[i] >= uint64_t{1} << 40) return kInvalidValue;
      bits.stride[i] = stride[i];
    }
  }
  const uint64_t inner = uint64_t{box[0]} * bits.element_bytes;
  if (inner % 16 != 0 || (swizzle && inner > uint64_t{16} << swizzle)) return kInvalidValue;
  std::memset(out, 0, 128);
  std::memcpy(out, &bits, sizeof bits);
  return kSuccess;
}

static const char* name_of(int error) {
  switch (error) {
    case kSuccess: return "CUDA_SUCCESS";
    case kInvalidValue: return "CUDA_ERROR_INVALID_VALUE";
    case kOutOfMemory: return "CUDA_ERROR_OUT_OF_MEMORY";
    case kNoDevice: return "CUDA_ERROR_NO_DEVICE";
    case kInvalidDevice: return "CUDA_ERROR_INVALID_DEVICE";
    case kInvalidImage: return "CUDA_ERROR_INVALID_IMAGE";
    case kInvalidContext: return "CUDA_ERROR_INVALID_CONTEXT";
    case kEccUncorrectable: return "CUDA_ERROR_ECC_UNCORRECTABLE";
    case kInvalidHandle: return "CUDA_ERROR_INVALID_HANDLE";
    case kNotFound: return "CUDA_ERROR_NOT_FOUND";
    case kNotReady: return "CUDA_ERROR_NOT_READY";
    case kIllegalAddress: return "CUDA_ERROR_ILLEGAL_ADDRESS";
    case kLaunchFailed: return "CUDA_ERROR_LAUNCH_FAILED";
    case kStreamCaptureUnsupported: return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    default: return nullptr;
  }
}
API cuGetErrorName(int error, const char** text) {
  *text = name_of(error);
  return *text ? kSuccess : kInvalidValue;
}
API cuGetErrorString(int error, const char** text) {
  *text = name_of(error) ? "as the emulated driver says" : nullptr;
  return *text ? kSuccess : kInvalidValue;
}
