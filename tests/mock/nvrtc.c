/* An NVRTC that compiles kernels for the host with the C compiler, by `kernel.c` in the folder FOLDER. It knows compute capabilities
 * 8.0 and 9.0. Into the file MOCK_LOG goes a line per compilation. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_OPTION = 5, COMPILATION = 6 };

typedef struct {
  char *source, *log, *image;
  size_t size;
} Program;

int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return SUCCESS;
}

int nvrtcGetNumSupportedArchs(int *count) {
  *count = 2;
  return SUCCESS;
}

int nvrtcGetSupportedArchs(int *list) {
  list[0] = 80;
  list[1] = 90;
  return SUCCESS;
}

int nvrtcCreateProgram(Program **program, const char *source, const char *name, int headers, const char *const *texts,
                       const char *const *names) {
  (void)name, (void)headers, (void)texts, (void)names;
  *program = calloc(1, sizeof **program);
  (*program)->source = strdup(source);
  (*program)->log = strdup("");
  return SUCCESS;
}

int nvrtcDestroyProgram(Program **program) {
  free((*program)->source);
  free((*program)->log);
  free((*program)->image);
  free(*program);
  *program = NULL;
  return SUCCESS;
}

/* The content of a file, with a zero after it. */
static char *content(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = calloc(1, *size + 1);
  *size = fread(bytes, 1, *size, file);
  fclose(file);
  return bytes;
}

int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
  const char *log = getenv("MOCK_LOG");
  FILE *notes = log ? fopen(log, "a") : NULL;
  int known = 0;
  if (notes)
    fprintf(notes, "compile");
  for (int option = 0; option < count; option++) {
    known |= strstr(options[option], "_90") || strstr(options[option], "_80");
    if (notes)
      fprintf(notes, " %s", options[option]);
  }
  if (notes) {
    fprintf(notes, "\n");
    fclose(notes);
  }
  if (!known)
    return INVALID_OPTION;
  char folder[] = "/tmp/mock-nvrtc-XXXXXX", command[2048], path[256];
  if (!mkdtemp(folder))
    return COMPILATION;
  snprintf(path, sizeof path, "%s/kernel.cu", folder);
  FILE *file = fopen(path, "w");
  fputs(program->source, file);
  fclose(file);
  snprintf(command, sizeof command,
           "cc -std=gnu11 -O2 -w -shared -fPIC -DTHREADS=1 '-DKERNEL_SOURCE=\"%s\"' '-I%s/../../src/experiment/batch/cuda' "
           "-o %s/kernel.so '%s/kernel.c' -lm 2>%s/log",
           path, FOLDER, folder, FOLDER, folder);
  const int status = system(command);
  size_t length;
  snprintf(path, sizeof path, "%s/log", folder);
  free(program->log);
  program->log = content(path, &length);
  snprintf(path, sizeof path, "%s/kernel.so", folder);
  program->image = content(path, &program->size);
  snprintf(command, sizeof command, "rm -r %s", folder);
  (void)!system(command);
  return status == 0 && program->image ? SUCCESS : COMPILATION;
}

int nvrtcGetProgramLogSize(Program *program, size_t *size) {
  *size = strlen(program->log) + 1;
  return SUCCESS;
}

int nvrtcGetProgramLog(Program *program, char *log) {
  strcpy(log, program->log);
  return SUCCESS;
}

int nvrtcGetCUBINSize(Program *program, size_t *size) {
  *size = program->size;
  return SUCCESS;
}

int nvrtcGetCUBIN(Program *program, char *image) {
  memcpy(image, program->image, program->size);
  return SUCCESS;
}

/* PTX is the same here. */
int nvrtcGetPTXSize(Program *program, size_t *size) { return nvrtcGetCUBINSize(program, size); }
int nvrtcGetPTX(Program *program, char *image) { return nvrtcGetCUBIN(program, image); }
