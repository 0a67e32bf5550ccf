/* A kernel's language on the host: a block's threads are threads of the system, THREADS of them. */

#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define DEVICE static
#define KERNEL static void
#define SYNC() wait_for_all()
#define BLOCK_SHARED static
#define BLOCK_MEMORY
#define UNROLL
#define RAISE(flag) __atomic_store_n(&(flag), 1, __ATOMIC_RELAXED)

static _Thread_local int THREAD;
static _Thread_local long long BLOCK;
/* What a block asks for at the launch. */
static double *block_memory;

/* A barrier that orders what is before it on any thread before what is after it, and nothing else: the system's own hides races
 * from the thread sanitizer. Every other barrier counts on the same counter, which all threads have left by then. */
static void wait_for_all(void) {
  static long long came[2];
  static _Thread_local long long barriers;
  long long *count = &came[barriers % 2];
  const long long all = (barriers / 2 + 1) * THREADS;
  barriers++;
  __atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < all)
    sched_yield();
}

/* (sin pi x, cos pi x), which the C library lacks: the argument is reduced by quarter turns, without rounding. */
static void sincospi(double x, double *sine, double *cosine) {
  const double turns = rint(2 * x);
  double s, c;
  sincos((x - turns / 2) * 3.14159265358979323846, &s, &c);
  switch ((int)(turns - 4 * floor(turns / 4))) {
  case 0: *sine = s, *cosine = c; break;
  case 1: *sine = c, *cosine = -s; break;
  case 2: *sine = -s, *cosine = -c; break;
  default: *sine = -c, *cosine = s;
  }
}

static void sincospif(float x, float *sine, float *cosine) {
  double s, c;
  sincospi(x, &s, &c);
  *sine = (float)s, *cosine = (float)c;
}
