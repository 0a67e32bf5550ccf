/* What the functions and the descent are written in: the common subset of C and CUDA C++.
 *
 * A block of threads is one run. Work is laid out in phases: a loop over items, shared among the threads by FOR_EACH, then a
 * SYNC(). So it is right for any number of threads, one included, and the very same source runs on the host.
 *
 * Given from outside, as macros: SINGLE for float instead of double; N points of D dimensions; PARTS, how many threads share a point where its
 * coordinates are summed up; WARP, the threads that go together; DEEP for a network, with FROZEN where its
 * embeddings do not move and RESIDUAL where it is added to points of its own; CLAMP for projected descent; BOUNDED where a value below 0 is
 * one that rounding put there; the RULE and the ACTIVATION by name; GLOBAL_MEMORY where a run does not fit into a block's shared memory;
 * PARAMETERS, the scalars that the rule moves, of which those from FIRST_MOVED on do move; STATES, the scalars that it keeps of each; HISTORY, the
 * pairs of L-BFGS, and MEMORY, the double-precision numbers that a run keeps for it; COSINE or PLATEAU for the schedule, RELATIVE where the plateau's
 * threshold is a share; BLOCK_WORDS, the scalars that a run works on; DATA, the numbers that each seed draws; the MOST_THREADS of a block, and the RESIDENT blocks of a multiprocessor.
 */

#ifdef __CUDACC__
#define DEVICE static __device__ __forceinline__
#define KERNEL extern "C" __global__ void __launch_bounds__(MOST_THREADS, RESIDENT)
#define THREAD ((int)threadIdx.x)
#define THREADS ((int)blockDim.x)
#define BLOCK ((long long)blockIdx.x)
#define SYNC() __syncthreads()
#define BLOCK_SHARED __shared__
#define BLOCK_MEMORY extern __shared__ double block_memory[]
/* Sets a flag that other threads may be setting too. */
#define RAISE(flag) atomicExch(&(flag), 1)
#define UNROLL _Pragma("unroll")
#endif

#define FOR_EACH(item, count) for (int item = THREAD; item < (count); item += THREADS)
/* The parameters that move. */
#define FOR_EACH_MOVED(i) for (int i = FIRST_MOVED + THREAD; i < PARAMETERS; i += THREADS)

#ifdef SINGLE
typedef float REAL;
#define EXP expf
#define EXPM1 expm1f
#define SQRT sqrtf
#define ABS fabsf
#define TANH tanhf
#define SIN_COS sincosf
#define SIN_COS_PI sincospif
#define EXP_LIMIT 87.0f
#else
typedef double REAL;
#define EXP exp
#define EXPM1 expm1
#define SQRT sqrt
#define ABS fabs
#define TANH tanh
#define SIN_COS sincos
#define SIN_COS_PI sincospi
#define EXP_LIMIT 708.0
#endif

/* A constant given in double precision. */
#define C(value) ((REAL)(value))
#define PI 3.14159265358979323846

/* The coordinate x in [0, 1] of a parameter y. */
DEVICE REAL squash(REAL y, REAL gain) {
#ifdef CLAMP
  /* NaN stays NaN. */
  return y < 0 ? C(0) : y > 1 ? C(1) : y;
#else
  REAL v = gain * y;
  v = v > EXP_LIMIT ? EXP_LIMIT : v;
  v = v < -EXP_LIMIT ? -EXP_LIMIT : v;
  return 1 / (1 + EXP(-v));
#endif
}

/* The arguments of a function besides the points x (N x D, in the unit cube); `couplings` are what its seed draws, or the numbers that it
 * is made of. */
typedef struct {
  REAL middle, width;
  const REAL *couplings;
} Given;

/* Coordinate number `i` of all points, in the function's box: near its middle as accurate as x - 1/2, which is exact. */
#define U(i) (given.middle + given.width * (x[i] - C(0.5)))

/* The sum of what the threads that share a point have found. */
DEVICE REAL sum_parts(const REAL *parts) {
  REAL sum = 0;
  for (int part = 0; part < PARTS; part++)
    sum += parts[part];
  return sum;
}
