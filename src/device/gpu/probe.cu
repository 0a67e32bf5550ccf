/* Whether kernels run at all: writes count numbers, each of which the host knows. */

#define PROBE

#ifdef __CUDACC__
#define KERNEL extern "C" __global__ void
#define THREAD ((int)threadIdx.x)
#define THREADS ((int)blockDim.x)
#endif

KERNEL probe(int count, int *numbers) {
  for (int item = THREAD; item < count; item += THREADS)
    numbers[item] = item * item + 1;
}
