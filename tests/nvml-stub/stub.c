/* A stand-in for libnvidia-ml.so.1, for tests on machines without a GPU.
 *
 * Its GPUs are a text file: the one that GRADUS_NVML_SCENARIO names, or `scenario` beside the library. The file is read
 * again at every call, so a test changes the world by renaming another file over it. `src/lib.rs` has the grammar.
 * Functions have NVML's names, structures its layout; what no caller of ours needs is absent.
 *
 * Built several times: as it is; STUB_OLD without some functions that old drivers lack; STUB_BARE with nothing
 * but nvmlInit_v2; STUB_ALIEN without even that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
  kOk = 0, kInvalidArgument = 2, kNotSupported = 3, kNotFound = 6, kInsufficientSize = 7, kTimeout = 10, kLost = 15,
  kVersionMismatch = 25, kUnknown = 999
};
enum { kMaxGpus = 8, kMaxSlices = 8, kMaxProcesses = 8, kMaxErrors = 32, kMaxLinks = 18, kMaxXids = 16 };

typedef unsigned long long u64;

struct process { unsigned pid; u64 bytes; int kind; int slice; };            /* kind: 'c', 'g', 'm' */
struct slice { char uuid[96]; char profile[32]; u64 total, used; };
struct failure { char function[64]; int code; int gpu; };                     /* gpu -1: of any */
struct gpu {
  char name[96], uuid[96], bus[32];
  unsigned minor, major_capability, minor_capability;
  u64 total, used;
  unsigned clocks[4];                                                         /* sm, memory, and their most, MHz */
  unsigned power, power_limit, temperature, slowdown;
  int ecc; u64 ecc_counts[4];                                                 /* volatile, aggregate: corrected, not */
  int remap; unsigned remapped[4];                                            /* corrected, not, pending, failed */
  int retired_pending, compute_mode, persistence, mig, mig_pending;
  u64 throttle;
  char links[kMaxLinks][32];
  int num_slices; struct slice slices[kMaxSlices];
  int num_processes; struct process processes[kMaxProcesses];
  int num_xids; u64 xids[kMaxXids];
  long lost_after;                                                            /* calls that work; -1: all */
};
struct world {
  char driver[64]; int cuda, init;
  int num_gpus; struct gpu gpus[kMaxGpus];
  int num_failures; struct failure failures[kMaxErrors];
  int num_names; struct { unsigned pid; char name[64]; } names[kMaxProcesses];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct world world;
static long calls[kMaxGpus];
static int delivered[kMaxGpus];
static int registered[kMaxGpus];

static void place_of_scenario(char *path, size_t size) {
  const char *named = getenv("GRADUS_NVML_SCENARIO");
  Dl_info here;
  if (named && *named) {
    snprintf(path, size, "%s", named);
  } else if (dladdr((void *)place_of_scenario, &here) && here.dli_fname) {
    const char *slash = strrchr(here.dli_fname, '/');
    snprintf(path, size, "%.*s/scenario", slash ? (int)(slash - here.dli_fname) : 1, slash ? here.dli_fname : ".");
  } else {
    snprintf(path, size, "scenario");
  }
}

static void new_gpu(struct gpu *g, int index) {
  memset(g, 0, sizeof *g);
  snprintf(g->name, sizeof g->name, "NVIDIA H100 80GB HBM3");
  snprintf(g->uuid, sizeof g->uuid, "GPU-%08x-aaaa-bbbb-cccc-000000000000", index + 1);
  snprintf(g->bus, sizeof g->bus, "00000000:%02X:00.0", 0x1A + 0x10 * index);
  g->minor = (unsigned)index; g->major_capability = 9;
  g->total = 85520809984ull; g->used = 4ull << 20;
  g->clocks[0] = 345; g->clocks[1] = 2619; g->clocks[2] = 1980; g->clocks[3] = 2619;
  g->power = 70000; g->power_limit = 700000; g->temperature = 31; g->slowdown = 87;
  g->ecc = 1; g->remap = 1; g->persistence = 1; g->throttle = 1; g->lost_after = -1;
}

/* One line of the scenario; unknown ones end the test, since a typing error would pass for health. */
static void take_line(const char *line) {
  char key[64] = "", rest[256] = "";
  if (sscanf(line, " %63s %255[^\n]", key, rest) < 1 || key[0] == '#') return;
  struct gpu *g = world.num_gpus ? &world.gpus[world.num_gpus - 1] : NULL;
#define IS(word) (strcmp(key, word) == 0)
  if (IS("driver")) snprintf(world.driver, sizeof world.driver, "%.63s", rest);
  else if (IS("cuda")) world.cuda = atoi(rest);
  else if (IS("init")) world.init = atoi(rest);
  else if (IS("error") && world.num_failures < kMaxErrors) {
    struct failure *f = &world.failures[world.num_failures++];
    f->gpu = world.num_gpus - 1;
    if (sscanf(rest, "%63s %d", f->function, &f->code) != 2) goto bad;
  } else if (IS("process_name") && world.num_names < kMaxProcesses) {
    sscanf(rest, "%u %63[^\n]", &world.names[world.num_names].pid, world.names[world.num_names].name);
    world.num_names++;
  } else if (IS("gpu") && world.num_gpus < kMaxGpus) {
    new_gpu(&world.gpus[world.num_gpus], world.num_gpus);
    world.num_gpus++;
  } else if (!g) goto bad;
  else if (IS("name")) snprintf(g->name, sizeof g->name, "%.95s", rest);
  else if (IS("uuid")) snprintf(g->uuid, sizeof g->uuid, "%.95s", rest);
  else if (IS("bus")) snprintf(g->bus, sizeof g->bus, "%.31s", rest);
  else if (IS("minor")) g->minor = (unsigned)atoi(rest);
  else if (IS("capability")) sscanf(rest, "%u %u", &g->major_capability, &g->minor_capability);
  else if (IS("memory")) sscanf(rest, "%llu %llu", &g->total, &g->used);
  else if (IS("clocks")) sscanf(rest, "%u %u %u %u", &g->clocks[0], &g->clocks[1], &g->clocks[2], &g->clocks[3]);
  else if (IS("power")) sscanf(rest, "%u %u", &g->power, &g->power_limit);
  else if (IS("temperature")) sscanf(rest, "%u %u", &g->temperature, &g->slowdown);
  else if (IS("ecc")) sscanf(rest, "%d %llu %llu %llu %llu", &g->ecc, &g->ecc_counts[0], &g->ecc_counts[1], &g->ecc_counts[2], &g->ecc_counts[3]);
  else if (IS("remapped")) sscanf(rest, "%u %u %u %u", &g->remapped[0], &g->remapped[1], &g->remapped[2], &g->remapped[3]);
  else if (IS("no_remapping")) g->remap = 0;
  else if (IS("retired_pending")) g->retired_pending = 1;
  else if (IS("compute_mode")) g->compute_mode = atoi(rest);
  else if (IS("persistence")) g->persistence = atoi(rest);
  else if (IS("throttle")) g->throttle = strtoull(rest, NULL, 0);
  else if (IS("lost_after")) g->lost_after = atol(rest);
  else if (IS("mig")) sscanf(rest, "%d %d", &g->mig, &g->mig_pending);
  else if (IS("slice") && g->num_slices < kMaxSlices) {
    struct slice *s = &g->slices[g->num_slices++];
    g->mig = g->mig_pending = 1;
    sscanf(rest, "%95s %31s %llu %llu", s->uuid, s->profile, &s->total, &s->used);
  } else if (IS("link")) {
    unsigned link = kMaxLinks; char bus[32] = "";
    sscanf(rest, "%u %31s", &link, bus);
    if (link >= kMaxLinks) goto bad;
    memcpy(g->links[link], bus, sizeof bus);
  } else if (IS("process") && g->num_processes < kMaxProcesses) {
    struct process *p = &g->processes[g->num_processes++];
    char bytes[32] = "", kind[16] = "compute"; p->slice = -1;
    sscanf(rest, "%u %31s %15s %d", &p->pid, bytes, kind, &p->slice);
    p->bytes = strcmp(bytes, "hidden") == 0 ? ~0ull : strtoull(bytes, NULL, 10);
    p->kind = kind[0];
  } else if (IS("xid") && g->num_xids < kMaxXids) g->xids[g->num_xids++] = strtoull(rest, NULL, 10);
  else goto bad;
  return;
bad:
  fprintf(stderr, "NVML stub: this line is not understood: %s\n", line);
  abort();
#undef IS
}

static void new_world(void) {
  memset(&world, 0, sizeof world);
  snprintf(world.driver, sizeof world.driver, "580.95.05");
  world.cuda = 13000;
}

/* Milliseconds since the file was written: the same for every process. */
static long age(FILE *file) {
  struct stat stat;
  struct timespec now;
  if (fstat(fileno(file), &stat) != 0) return 0;
  clock_gettime(CLOCK_REALTIME, &now);
  return (now.tv_sec - stat.st_mtim.tv_sec) * 1000 + (now.tv_nsec - stat.st_mtim.tv_nsec) / 1000000;
}

static void read_world(void) {
  char path[1024], line[512];
  place_of_scenario(path, sizeof path);
  FILE *file = fopen(path, "r");
  if (!file) { fprintf(stderr, "NVML stub: no scenario at %s\n", path); abort(); }
  new_world();
  while (fgets(line, sizeof line, file)) {
    long ms;
    if (sscanf(line, " after %ld", &ms) != 1) take_line(line);
    else if (age(file) < ms) break;
    else new_world();
  }
  fclose(file);
}

/* Handles are numbers, so that they outlive a new reading. */
static void *handle_of(int gpu, int slice) { return (void *)(uintptr_t)(0x1000 + gpu * 0x100 + slice + 1); }

static struct gpu *gpu_of(void *handle, int *index, int *slice) {
  intptr_t number = (intptr_t)handle - 0x1000;
  *index = (int)(number / 0x100); *slice = (int)(number % 0x100) - 1;
  if (number < 0 || *index >= world.num_gpus || *slice >= world.gpus[*index].num_slices) return NULL;
  return &world.gpus[*index];
}

static int failure_of(const char *function, int gpu) {
  for (int i = 0; i < world.num_failures; i++) {
    const struct failure *f = &world.failures[i];
    if (strcmp(f->function, function) == 0 && (f->gpu == -1 || f->gpu == gpu)) return f->code;
  }
  return kOk;
}

/* What every function on a GPU begins with. */
static int begin(const char *function, void *handle, struct gpu **g, int *slice) {
  int index;
  read_world();
  *g = gpu_of(handle, &index, slice);
  if (!*g) return kInvalidArgument;
  long call = ++calls[index];
  if ((*g)->lost_after >= 0 && call > (*g)->lost_after) return kLost;
  return failure_of(function, index);
}

#define EXPORT __attribute__((visibility("default")))
#define SYSTEM(NAME, ARGUMENTS, ...) \
  EXPORT int NAME ARGUMENTS { pthread_mutex_lock(&lock); read_world(); int r = failure_of(#NAME, -1); \
    if (r == kOk) __VA_ARGS__ pthread_mutex_unlock(&lock); return r; }
#define DEVICE(NAME, ARGUMENTS, ...) \
  EXPORT int NAME ARGUMENTS { struct gpu *g; int slice; pthread_mutex_lock(&lock); \
    int r = begin(#NAME, device, &g, &slice); if (r == kOk) __VA_ARGS__ pthread_mutex_unlock(&lock); return r; }

static int text(char *to, unsigned size, const char *from) {
  if (strlen(from) >= size) return kInsufficientSize;
  memset(to, 0, size);
  memcpy(to, from, strlen(from));
  return kOk;
}

#ifndef STUB_ALIEN
SYSTEM(nvmlInit_v2, (void), { r = world.init; })
#endif

#if !defined(STUB_BARE) && !defined(STUB_ALIEN)
SYSTEM(nvmlShutdown, (void), { r = kOk; })
SYSTEM(nvmlSystemGetDriverVersion, (char *to, unsigned size), { r = text(to, size, world.driver); })
SYSTEM(nvmlSystemGetCudaDriverVersion_v2, (int *version), { *version = world.cuda; })
SYSTEM(nvmlSystemGetProcessName, (unsigned pid, char *to, unsigned size), {
  r = kNotFound;
  for (int i = 0; i < world.num_names; i++)
    if (world.names[i].pid == pid) r = text(to, size, world.names[i].name);
})
SYSTEM(nvmlDeviceGetCount_v2, (unsigned *count), { *count = (unsigned)world.num_gpus; })
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  struct gpu *g; int slice;
  pthread_mutex_lock(&lock);
  *device = handle_of((int)index, -1);
  int r = begin(__func__, *device, &g, &slice);
  pthread_mutex_unlock(&lock);
  return r;
}
EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  pthread_mutex_lock(&lock);
  read_world();
  int r = kNotFound;
  for (int i = 0; i < world.num_gpus; i++) {
    struct gpu *g = &world.gpus[i]; int slice;
    *device = NULL;
    if (strcmp(g->uuid, uuid) == 0) *device = handle_of(i, -1);
    for (int s = 0; s < g->num_slices; s++)
      if (strcmp(g->slices[s].uuid, uuid) == 0) *device = handle_of(i, s);
    if (*device) { r = begin(__func__, *device, &g, &slice); break; }
  }
  pthread_mutex_unlock(&lock);
  return r;
}
DEVICE(nvmlDeviceGetName, (void *device, char *to, unsigned size), {
  char name[160];
  if (slice < 0) snprintf(name, sizeof name, "%s", g->name);
  else snprintf(name, sizeof name, "%s MIG %s", g->name, g->slices[slice].profile);
  r = text(to, size, name);
})
DEVICE(nvmlDeviceGetUUID, (void *device, char *to, unsigned size), { r = text(to, size, slice < 0 ? g->uuid : g->slices[slice].uuid); })
DEVICE(nvmlDeviceGetMinorNumber, (void *device, unsigned *minor), { *minor = g->minor; })
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; };
DEVICE(nvmlDeviceGetPciInfo_v3, (void *device, struct pci *pci), { memset(pci, 0, sizeof *pci); snprintf(pci->text, 32, "%s", g->bus); })
DEVICE(nvmlDeviceGetCudaComputeCapability, (void *device, int *major, int *minor), { *major = (int)g->major_capability; *minor = (int)g->minor_capability; })
DEVICE(nvmlDeviceGetMigMode, (void *device, unsigned *current, unsigned *pending), {
  if (g->major_capability < 8) r = kNotSupported;
  *current = (unsigned)g->mig; *pending = (unsigned)g->mig_pending;
})
DEVICE(nvmlDeviceGetMaxMigDeviceCount, (void *device, unsigned *count), { *count = 7; })
DEVICE(nvmlDeviceGetMigDeviceHandleByIndex, (void *device, unsigned index, void **slice_out), {
  if ((int)index >= g->num_slices || slice >= 0) r = kNotFound;
  else *slice_out = handle_of((int)(g - world.gpus), (int)index);
})
DEVICE(nvmlDeviceGetClockInfo, (void *device, int clock, unsigned *mhz), { *mhz = g->clocks[clock == 2]; })
DEVICE(nvmlDeviceGetMaxClockInfo, (void *device, int clock, unsigned *mhz), { *mhz = g->clocks[2 + (clock == 2)]; })
DEVICE(nvmlDeviceGetPowerUsage, (void *device, unsigned *mw), { *mw = g->power; })
DEVICE(nvmlDeviceGetEnforcedPowerLimit, (void *device, unsigned *mw), { *mw = g->power_limit; })
DEVICE(nvmlDeviceGetTemperature, (void *device, int sensor, unsigned *c), { *c = g->temperature; if (sensor) r = kInvalidArgument; })
DEVICE(nvmlDeviceGetTemperatureThreshold, (void *device, int which, unsigned *c), {
  *c = g->slowdown; if (which != 1) r = kInvalidArgument; else if (!g->slowdown) r = kNotSupported;
})
DEVICE(nvmlDeviceGetEccMode, (void *device, int *current, int *pending), { *current = *pending = g->ecc; if (g->ecc < 0) r = kNotSupported; })
DEVICE(nvmlDeviceGetTotalEccErrors, (void *device, int type, int counter, u64 *count), {
  *count = g->ecc_counts[counter * 2 + type]; if (g->ecc <= 0) r = kNotSupported;
})
struct field { unsigned id, scope; long long time, latency; int type, result; u64 value; };
DEVICE(nvmlDeviceGetFieldValues, (void *device, int count, struct field *fields), {
  for (int i = 0; i < count; i++) {
    unsigned which = fields[i].id - 142;
    fields[i].result = which < 4 && g->remap ? kOk : kNotSupported;
    fields[i].type = 1;
    fields[i].value = which < 4 ? g->remapped[which] : 0;
  }
})
DEVICE(nvmlDeviceGetRetiredPagesPendingStatus, (void *device, int *pending), { *pending = g->retired_pending; if (g->remap) r = kNotSupported; })
DEVICE(nvmlDeviceGetComputeMode, (void *device, int *mode), { *mode = g->compute_mode; })
DEVICE(nvmlDeviceGetPersistenceMode, (void *device, int *mode), { *mode = g->persistence; })
DEVICE(nvmlDeviceGetNvLinkState, (void *device, unsigned link, int *active), {
  if (link >= kMaxLinks) r = kInvalidArgument; else *active = g->links[link][0] != 0;
})
DEVICE(nvmlDeviceGetNvLinkRemotePciInfo_v2, (void *device, unsigned link, struct pci *pci), {
  memset(pci, 0, sizeof *pci);
  if (link >= kMaxLinks) r = kInvalidArgument; else memcpy(pci->text, g->links[link], 32);
})
DEVICE(nvmlDeviceGetCurrentClocksThrottleReasons, (void *device, u64 *reasons), { *reasons = g->throttle; })

struct process_out { unsigned pid; u64 bytes; unsigned gpu_instance, compute_instance; };
static int processes(const struct gpu *g, int slice, char kind, unsigned *count, struct process_out *out) {
  unsigned found = 0, room = *count;
  for (int i = 0; i < g->num_processes; i++) {
    const struct process *p = &g->processes[i];
    if (p->kind != kind || (slice >= 0 && p->slice != slice)) continue;
    if (found < room && out) {
      unsigned none = ~0u;
      out[found] = (struct process_out){p->pid, p->bytes, p->slice < 0 ? none : (unsigned)p->slice, p->slice < 0 ? none : 0};
    }
    found++;
  }
  *count = found;
  return found > room ? kInsufficientSize : kOk;
}
#ifndef STUB_OLD
struct memory { unsigned version; u64 total, reserved, free, used; };
DEVICE(nvmlDeviceGetMemoryInfo_v2, (void *device, struct memory *m), {
  if (m->version != (sizeof *m | 2u << 24)) r = kVersionMismatch;
  m->total = slice < 0 ? g->total : g->slices[slice].total;
  m->used = slice < 0 ? g->used : g->slices[slice].used;
  m->reserved = 0; m->free = m->total - m->used;
})
DEVICE(nvmlDeviceGetComputeRunningProcesses_v3, (void *device, unsigned *count, struct process_out *out), { r = processes(g, slice, 'c', count, out); })
DEVICE(nvmlDeviceGetGraphicsRunningProcesses_v3, (void *device, unsigned *count, struct process_out *out), { r = processes(g, slice, 'g', count, out); })
DEVICE(nvmlDeviceGetMPSComputeRunningProcesses_v3, (void *device, unsigned *count, struct process_out *out), { r = processes(g, slice, 'm', count, out); })
#endif

/* Events. One set is enough: each Xid of the scenario is delivered once to this process. */
SYSTEM(nvmlEventSetCreate, (void **set), { *set = &registered; })
#ifndef STUB_OLD /* Every driver has it; without it, a careless caller panics. */
SYSTEM(nvmlEventSetFree, (void *set), {
  r = set == &registered ? kOk : kInvalidArgument;
  memset(registered, 0, sizeof registered);
})
#endif
DEVICE(nvmlDeviceGetSupportedEventTypes, (void *device, u64 *types), { *types = 0x1f; })
DEVICE(nvmlDeviceRegisterEvents, (void *device, u64 types, void *set), {
  registered[g - world.gpus] = (types & 8) != 0;
  if (set != &registered) r = kInvalidArgument;
})
struct event { void *device; u64 type, data; unsigned gpu_instance, compute_instance; };
EXPORT int nvmlEventSetWait_v2(void *set, struct event *event, unsigned timeout_ms) {
  (void)set;
  for (unsigned waited = 0;; waited += 5) {
    pthread_mutex_lock(&lock);
    read_world();
    int r = failure_of(__func__, -1);
    for (int i = 0; r == kOk && i < world.num_gpus; i++) {
      if (!registered[i] || delivered[i] >= world.gpus[i].num_xids) continue;
      *event = (struct event){handle_of(i, -1), 8, world.gpus[i].xids[delivered[i]++], ~0u, ~0u};
      pthread_mutex_unlock(&lock);
      return kOk;
    }
    pthread_mutex_unlock(&lock);
    if (r != kOk) return r;
    if (waited >= timeout_ms) return kTimeout;
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
}
#endif
