/* A driver for a GPU that is not there: memory is the host's, and a kernel is a shared library for the host, which the NVRTC beside
 * this file compiles.
 *
 * The environment says what goes wrong, as the number that the call gives: MOCK_INIT, MOCK_LOAD, MOCK_ALLOC, MOCK_LAUNCH; and what there is:
 * MOCK_COUNT for the number of GPUs, MOCK_DRIVER for the version of CUDA, MOCK_CAPABILITY for that of the GPU, MOCK_LARGEST for the most bytes
 * of an array. One line per call that costs time is appended to the file MOCK_LOG. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, NOT_FOUND = 500 };

static int number(const char *name, int otherwise) {
  const char *value = getenv(name);
  return value ? atoi(value) : otherwise;
}

static void note(const char *line) {
  const char *path = getenv("MOCK_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (file) {
    fprintf(file, "%s\n", line);
    fclose(file);
  }
}

int cuInit(unsigned flags) {
  (void)flags;
  note("init");
  return number("MOCK_INIT", SUCCESS);
}

int cuDriverGetVersion(int *version) {
  *version = number("MOCK_DRIVER", 13000);
  return SUCCESS;
}

int cuDeviceGetCount(int *count) {
  *count = number("MOCK_COUNT", 1);
  return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return SUCCESS;
}

int cuDeviceGetName(char *name, int length, int device) {
  (void)device;
  snprintf(name, (size_t)length, "Mock GPU");
  return SUCCESS;
}

/* The numbers of cuda.h. */
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  const int capability = number("MOCK_CAPABILITY", 90);
  switch (attribute) {
  case 13: *value = 1980000; break;
  case 16: *value = 132; break;
  case 75: *value = capability / 10; break;
  case 76: *value = capability % 10; break;
  case 81: *value = 228 << 10; break;
  case 97: *value = 227 << 10; break;
  default: *value = 0;
  }
  return SUCCESS;
}

static void *current;

int cuDevicePrimaryCtxRetain(void **context, int device) {
  (void)device;
  *context = &current;
  return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  (void)device;
  return SUCCESS;
}

int cuCtxGetCurrent(void **context) {
  *context = current;
  return SUCCESS;
}

int cuCtxSetCurrent(void *context) {
  current = context;
  return SUCCESS;
}

int cuMemGetInfo_v2(size_t *available, size_t *total) {
  *available = *total = (size_t)1 << 30;
  return SUCCESS;
}

int cuMemAlloc_v2(uint64_t *at, size_t size) {
  const int failure = number("MOCK_ALLOC", SUCCESS);
  if (failure || size == 0)
    return failure ? failure : INVALID_VALUE;
  if (size > (size_t)number("MOCK_LARGEST", 1 << 30))
    return OUT_OF_MEMORY;
  *at = (uint64_t)(uintptr_t)malloc(size);
  return SUCCESS;
}

int cuMemFree_v2(uint64_t at) {
  free((void *)(uintptr_t)at);
  return SUCCESS;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *stream) {
  (void)stream;
  memcpy((void *)(uintptr_t)to, from, size);
  return SUCCESS;
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream) {
  (void)stream;
  memcpy(to, (void *)(uintptr_t)from, size);
  return SUCCESS;
}

int cuMemsetD8Async(uint64_t at, unsigned char value, size_t size, void *stream) {
  (void)stream;
  memset((void *)(uintptr_t)at, value, size);
  return SUCCESS;
}

int cuStreamSynchronize(void *stream) {
  (void)stream;
  return SUCCESS;
}

/* Everything happens at once here: an event is over as soon as it is recorded. */
int cuEventCreate(void **event, unsigned flags) {
  (void)flags;
  *event = &current;
  return SUCCESS;
}

int cuEventDestroy_v2(void *event) {
  (void)event;
  return SUCCESS;
}

int cuEventRecord(void *event, void *stream) {
  (void)event, (void)stream;
  return SUCCESS;
}

int cuEventSynchronize(void *event) {
  (void)event;
  return SUCCESS;
}

int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
  (void)stream, (void)event, (void)flags;
  return SUCCESS;
}

/* The bytes of a shared library, whose table of sections comes last. */
int cuModuleLoadData(void **module, const void *image) {
  note("load");
  const int failure = number("MOCK_LOAD", SUCCESS);
  const Elf64_Ehdr *header = image;
  if (failure)
    return failure;
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return INVALID_IMAGE;
  const size_t size = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
  char path[] = "/tmp/mock-kernel-XXXXXX";
  const int file = mkstemp(path);
  if (file < 0 || write(file, image, size) != (ssize_t)size || close(file) != 0)
    return INVALID_IMAGE;
  *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unlink(path);
  return *module ? SUCCESS : INVALID_IMAGE;
}

int cuModuleUnload(void *module) {
  dlclose(module);
  return SUCCESS;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  char symbol[64];
  snprintf(symbol, sizeof symbol, "launch_%s", name);
  *function = dlsym(module, symbol);
  return *function ? SUCCESS : NOT_FOUND;
}

static int shared_memory;

int cuFuncSetAttribute(void *function, int attribute, int value) {
  (void)function;
  if (attribute == 8)
    shared_memory = value;
  return value < 0 || (attribute == 8 && value > 227 << 10) || (attribute == 9 && value > 100) ? INVALID_VALUE : SUCCESS;
}

int cuFuncGetAttribute(int *value, int attribute, void *function) {
  (void)function;
  *value = attribute == 4 ? 80 : 0;
  return SUCCESS;
}

int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, void *function, int threads, size_t shared,
                                                         unsigned flags) {
  (void)function, (void)threads, (void)flags;
  *blocks = (int)((228 << 10) / (shared + 2048));
  return SUCCESS;
}

int cuLaunchKernel(void *function, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned ty, unsigned tz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
  (void)stream, (void)extra;
  note("launch");
  const int failure = number("MOCK_LAUNCH", SUCCESS);
  if (failure)
    return failure;
  /* What a block has without asking is 48 KiB. */
  if (y * z * ty * tz != 1 || threads % 32 != 0 || threads > 1024 || (shared > 48 << 10 && shared > (unsigned)shared_memory))
    return INVALID_VALUE;
  ((void (*)(long long, size_t, void **))function)(blocks, shared, arguments);
  return SUCCESS;
}
