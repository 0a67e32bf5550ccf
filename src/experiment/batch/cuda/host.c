/* Runs a kernel on the host: a block's threads are threads of the system, and blocks go one after the other.
 *
 * The kernel's source is KERNEL_SOURCE. Reads the arguments of one launch from standard input, as numbers in the host's
 * own format, and writes to standard output what the launch leaves behind. */

#include "host.h"

#include KERNEL_SOURCE

static long long first, count, runs, slots, couplings_count, bases_count;
static double *settings, *gains, *memory, *progress, *samples;
static int *seeds;
static REAL *couplings, *bases, *parameters, *best_x, *workspace;
static long long *kept;

/* `count` numbers of `size` bytes, read from standard input unless they are only to be written. */
static void *numbers(size_t count, size_t size, int given) {
  void *of = calloc(count ? count : 1, size);
  if (!of || (given && fread(of, size, count, stdin) != count)) {
    fprintf(stderr, "expected %zu numbers of %zu bytes\n", count, size);
    exit(1);
  }
  return of;
}

static void *run_thread(void *number) {
  THREAD = (int)(size_t)number;
  for (BLOCK = 0; BLOCK < runs; BLOCK++) {
    descend(first, count, settings, gains, seeds, couplings, bases, parameters, memory, progress, best_x, kept, (int)slots,
            samples, workspace);
    SYNC();
  }
  return NULL;
}

int main(void) {
  long long *header = numbers(6, sizeof *header, 1);
  first = header[0], count = header[1], runs = header[2], slots = header[3], couplings_count = header[4];
  bases_count = header[5];
  free(header);
  settings = numbers(SETTINGS, sizeof *settings, 1);
  gains = numbers(runs, sizeof *gains, 1);
  seeds = numbers(runs, sizeof *seeds, 1);
  couplings = numbers(couplings_count, sizeof *couplings, 1);
  bases = numbers(bases_count, sizeof *bases, 1);
  kept = numbers(slots, sizeof *kept, 1);
  parameters = numbers(runs * MOVED, sizeof *parameters, 1);
  memory = numbers(runs * MEMORY, sizeof *memory, 1);
  progress = numbers(runs * PROGRESS, sizeof *progress, 1);
  best_x = numbers(runs * D, sizeof *best_x, 1);
  samples = numbers(runs * slots * SAMPLE, sizeof *samples, 0);
  workspace = numbers(runs * (BLOCK_WORDS), sizeof *workspace, 0);
  block_memory = numbers(BLOCK_WORDS, sizeof *block_memory, 0);
  pthread_t threads[THREADS];
  for (size_t thread = 0; thread < THREADS; thread++)
    if (pthread_create(&threads[thread], NULL, run_thread, (void *)thread)) {
      fprintf(stderr, "cannot start thread %zu\n", thread);
      return 1;
    }
  for (size_t thread = 0; thread < THREADS; thread++)
    pthread_join(threads[thread], NULL);
  fwrite(parameters, sizeof *parameters, runs * MOVED, stdout);
  fwrite(memory, sizeof *memory, runs * MEMORY, stdout);
  fwrite(progress, sizeof *progress, runs * PROGRESS, stdout);
  fwrite(best_x, sizeof *best_x, runs * D, stdout);
  fwrite(samples, sizeof *samples, runs * slots * SAMPLE, stdout);
  return 0;
}
