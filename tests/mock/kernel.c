/* A kernel for the host, as the driver beside this file launches it: every block by one thread, which is right for any number. */

#include "host.h"

#include KERNEL_SOURCE

#define ARGUMENT(type, number) (*(type *)arguments[number])

#ifdef PROBE

void launch_probe(long long blocks, size_t shared, void **arguments) {
  (void)blocks, (void)shared;
  probe(ARGUMENT(int, 0), ARGUMENT(int *, 1));
}

#else

void launch_descend(long long blocks, size_t shared, void **arguments) {
  block_memory = malloc(shared);
  for (BLOCK = 0; BLOCK < blocks; BLOCK++)
    descend(ARGUMENT(long long, 0), ARGUMENT(long long, 1), ARGUMENT(double *, 2), ARGUMENT(double *, 3), ARGUMENT(int *, 4),
            ARGUMENT(REAL *, 5), ARGUMENT(REAL *, 6), ARGUMENT(REAL *, 7), ARGUMENT(double *, 8), ARGUMENT(double *, 9),
            ARGUMENT(REAL *, 10), ARGUMENT(long long *, 11), ARGUMENT(int, 12), ARGUMENT(double *, 13), ARGUMENT(REAL *, 14));
  free(block_memory);
}

#endif
