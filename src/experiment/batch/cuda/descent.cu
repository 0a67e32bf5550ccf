/* Descent: one block of threads per run, many iterations per launch.
 *
 * One thread, the leader, sums the objectives up, applies the schedule and finds out whether the run ends, while the others prepare the step.
 * What it finds for an iteration the others read after the next barrier; the constants of the next iteration are in another place than those
 * of this one, which the others still read. */

/* What a trace keeps of an iteration. */
enum { SAMPLE_MIN, SAMPLE_MEAN, SAMPLE_BEST, SAMPLE_STEP_SIZE, SAMPLE };

#ifndef DEEP
#define FLOW 0
#endif

/* The gradient in the parameters of a network goes where the points are not needed any more, if that is enough. */
#if defined(DEEP) && PARAMETERS > N * D
#define OWN_GRADIENT PARAMETERS
#else
#define OWN_GRADIENT 0
#endif

/* The scalars that a run moves, those that its rule keeps of each, and all that it works on. */
#define MOVED ((1 + STATES) * PARAMETERS)
#define WORDS (MOVED + FLOW + 2 * N * D + N + WORK + OWN_GRADIENT)

/* A compile-time check of what the host allocates. */
typedef char words_are_those_of_the_host[(WORDS) == (BLOCK_WORDS) ? 1 : -1];

/* The constants of an iteration: the factor of the gradient, and what the rule takes. */
typedef struct {
  double step_size;
  REAL factor, rate, momentum, smoothing, epsilon, correction, shrink;
} Constants;

/* Those of the next iteration of a run. */
DEVICE Constants constants_of(const double *run, const double *settings, double gain) {
  Constants of = {run[STEP_SIZE]};
  const double slope = (settings[UPPER] - settings[LOWER]) / (settings[MAXIMUM] - settings[MINIMUM]);
#ifdef RULE_GRADIENT_DESCENT
  /* What flows back are the steps themselves. */
  of.factor = C(-run[STEP_SIZE] * settings[GRADIENT_SCALE] / N * slope * gain);
#else
  of.factor = C(settings[GRADIENT_SCALE] / N * slope * gain);
#endif
  of.rate = C(run[STEP_SIZE]);
  of.momentum = C(settings[MOMENTUM]);
  of.smoothing = C(settings[SMOOTHING]);
  of.epsilon = C(settings[EPSILON]);
#if defined(RULE_ADAM) || defined(RULE_ADAMW)
  of.rate = C(run[STEP_SIZE] / (1 - run[FIRST_POWER]));
  of.correction = C(1 / sqrt(1 - run[SECOND_POWER]));
  of.shrink = C(1 - run[STEP_SIZE] * settings[DECAY]);
#endif
  return of;
}

/* A parameter after a step. `state` has STATES numbers, PARAMETERS apart. */
DEVICE REAL moved_by(const Constants *by, REAL value, REAL gradient, REAL *state) {
#if defined(RULE_MOMENTUM)
  *state = *state * by->momentum + gradient;
  return value - *state * by->rate;
#elif defined(RULE_NESTEROV)
  *state = *state * by->momentum + gradient;
  return value - (*state * by->momentum + gradient) * by->rate;
#elif defined(RULE_RMSPROP)
  *state = gradient * gradient * (1 - by->smoothing) + *state * by->smoothing;
  return value - gradient / (SQRT(*state) + by->epsilon) * by->rate;
#elif defined(RULE_ADAM) || defined(RULE_ADAMW)
  REAL *mean = state, *square = state + PARAMETERS;
  *mean = (gradient - *mean) * (1 - by->momentum) + *mean;
  *square = gradient * gradient * (1 - by->smoothing) + *square * by->smoothing;
  return value * by->shrink - *mean / (SQRT(*square) * by->correction + by->epsilon) * by->rate;
#else
  return value + gradient;
#endif
}

/* Sums the objectives of an iteration up: four sums, and in which order, as on the CPU. */
DEVICE void sum_up(const REAL *values, const REAL *x, const double *settings, double *run, REAL *best_x) {
  const double reciprocal = 1 / (settings[MAXIMUM] - settings[MINIMUM]);
  double sums[4] = {0, 0, 0, 0};
  REAL min = C(settings[INFINITE]);
  int lowest = 0;
  for (int row = 0; row < N; row++) {
    REAL value = (values[row] - C(settings[MINIMUM])) * C(reciprocal);
#ifdef BOUNDED
    value = value < 0 ? C(0) : value;
#endif
    sums[row % 4] += value;
    if (value < min) {
      min = value;
      lowest = row;
    }
  }
  run[LAST_MEAN] = (sums[0] + sums[1] + sums[2] + sums[3]) / N;
  run[LAST_MIN] = min;
  if (min < run[BEST]) {
    run[BEST] = min;
    for (int j = 0; j < D; j++)
      best_x[j] = x[lowest * D + j];
  }
}

/* Takes note of an iteration: its sample, the step size of the next one, and whether the run ends. */
DEVICE void observe(long long iteration, const double *settings, double *run, double *sample) {
  const double mean = run[LAST_MEAN], step_size = run[STEP_SIZE];
  run[LAST_STEP_SIZE] = step_size;
  run[ITERATIONS] = (double)(iteration + 1);
  if (sample) {
    sample[SAMPLE_MIN] = run[LAST_MIN];
    sample[SAMPLE_MEAN] = mean;
    sample[SAMPLE_BEST] = run[BEST];
    sample[SAMPLE_STEP_SIZE] = step_size;
  }
#if defined(RULE_ADAM) || defined(RULE_ADAMW)
  run[FIRST_POWER] *= settings[MOMENTUM];
  run[SECOND_POWER] *= settings[SMOOTHING];
#endif
#if defined(COSINE)
  const double share = (run[ITERATIONS] < settings[FALL] ? run[ITERATIONS] : settings[FALL]) / settings[FALL];
  /* A rate that starts below the floor stays where it is. */
  const double initial = run[INITIAL], least = settings[FLOOR] < initial ? settings[FLOOR] : initial;
  run[STEP_SIZE] = least + (initial - least) * 0.5 * (1 + cos(PI * share));
#elif defined(PLATEAU)
#ifdef RELATIVE
  const double bound = run[BEST_MEAN] * (1 - settings[THRESHOLD]);
#else
  const double bound = run[BEST_MEAN] - settings[THRESHOLD];
#endif
  if (mean < bound) {
    run[BEST_MEAN] = mean;
    run[FAILURES] = 0;
  } else
    run[FAILURES]++;
  if (run[COOLING] > 0) {
    run[COOLING]--;
    run[FAILURES] = 0;
  }
  if (run[FAILURES] > settings[PATIENCE]) {
    /* Volatile: the product is rounded before it is subtracted, as on the CPU. */
    const volatile double product = step_size * settings[FACTOR];
    const double smaller = product > settings[FLOOR] ? product : settings[FLOOR];
    if (step_size - smaller > settings[LEAST_CHANGE])
      run[STEP_SIZE] = smaller;
    run[COOLING] = settings[COOLDOWN];
    run[FAILURES] = 0;
  }
#endif
  /* Neither infinite nor NaN. */
  if (!(mean - mean == 0))
    run[OUTCOME] = DIVERGED;
  else if (run[BEST] <= settings[TARGET])
    run[OUTCOME] = REACHED;
  else {
    if (run[REFERENCE] - run[BEST] > settings[TOLERANCE]) {
      run[REFERENCE] = run[BEST];
      run[REFERENCE_AT] = (double)iteration;
    }
    if ((double)iteration - run[REFERENCE_AT] >= settings[REST])
      run[OUTCOME] = CONVERGED;
  }
}

/* Takes every run that has not ended from iteration `first` `count` further.
 *
 * One for all runs: `settings`; `kept`, the `slots` iterations among those that traces keep. One per run: `gains` of the squash;
 * `seeds`, which of the `couplings` and of the `bases` (N x D) are its own; `parameters` (MOVED); `memory` (MEMORY numbers); `progress`
 * (PROGRESS numbers); `best_x` (D); `samples` (SAMPLE numbers per slot); `workspace` (BLOCK_WORDS) where shared memory is too small. */
KERNEL descend(long long first, long long count, const double *settings, const double *gains, const int *seeds,
               const REAL *couplings, const REAL *bases, REAL *parameters, double *memory, double *progress, REAL *best_x,
               const long long *kept, int slots, double *samples, REAL *workspace) {
  BLOCK_SHARED int moved;
  BLOCK_SHARED double run[PROGRESS];
  BLOCK_SHARED Constants constants[2];
  BLOCK_MEMORY;
#ifdef GLOBAL_MEMORY
  REAL *own = workspace + BLOCK * BLOCK_WORDS;
#else
  REAL *own = (REAL *)block_memory;
#endif
  REAL *flow = own + MOVED, *x = flow + FLOW, *gradient = x + N * D, *values = gradient + N * D, *work = values + N;
  if (progress[BLOCK * PROGRESS + OUTCOME] != 0)
    return;
  const REAL gain = C(gains[BLOCK]);
  const Given given = {C(0.5 * (settings[LOWER] + settings[UPPER])), C(settings[UPPER] - settings[LOWER]),
                       couplings + (long long)seeds[BLOCK] * (long long)DATA};
  /* The last thread, which has least to do in a phase. */
  const int leader = THREAD == THREADS - 1;
  FOR_EACH(i, MOVED) own[i] = parameters[BLOCK * MOVED + i];
  FOR_EACH(i, PROGRESS) run[i] = progress[BLOCK * PROGRESS + i];
  SYNC();
  if (leader)
    constants[0] = constants_of(run, settings, gains[BLOCK]);
#ifdef RULE_LBFGS
  BLOCK_SHARED double lanes[LANES];
  double *remembered = memory + BLOCK * MEMORY;
  Search search = search_of(remembered);
#endif
  int slot = 0, settled = 0;
  long long done = 0;
  for (; done < count && !settled; done++) {
    /* This barrier is also that between the leader's constants and their use. */
#ifdef DEEP
    embed(own, flow, bases + (long long)seeds[BLOCK] * (N * D), gain, x);
#else
    FOR_EACH(i, N * D) x[i] = squash(own[i], gain);
    SYNC();
#endif
    if (run[OUTCOME] != 0)
      break;
    if (THREAD == 0)
      moved = 0;
    evaluate(given, x, gradient, values, work);
    const Constants *by = &constants[done % 2];
    if (leader) {
      const int keeps = slot < slots && first + done == kept[slot];
      sum_up(values, x, settings, run, best_x + BLOCK * D);
      observe(first + done, settings, run, keeps ? samples + (BLOCK * slots + slot) * SAMPLE : 0);
      slot += keeps;
      constants[(done + 1) % 2] = constants_of(run, settings, gains[BLOCK]);
    }
#ifdef CLAMP
#define SLOPE(i) by->factor * gradient[i]
#else
#define SLOPE(i) by->factor *gradient[i] * (x[i] - x[i] * x[i])
#endif
#if defined(DEEP) || defined(RULE_LBFGS)
    FOR_EACH(i, N * D) gradient[i] = SLOPE(i);
    SYNC();
#endif
#ifdef DEEP
    REAL *slopes = OWN_GRADIENT ? work + WORK : x;
    backward(own, flow, gradient, slopes);
#else
    const REAL *slopes = gradient;
#endif
#ifdef RULE_LBFGS
    search = line_search(search, by->step_size, settings[GRADIENT_SCALE] * run[LAST_MEAN], own, slopes, remembered, lanes);
#else
#ifdef RULE_GRADIENT_DESCENT
    int changed = 0;
#endif
    FOR_EACH_MOVED(i) {
      /* Projected descent steps from the clamped point. */
#if defined(DEEP)
      const REAL to = moved_by(by, own[i], slopes[i], own + PARAMETERS + i);
#elif defined(CLAMP)
      const REAL to = moved_by(by, x[i], SLOPE(i), own + PARAMETERS + i);
#else
      const REAL to = moved_by(by, own[i], SLOPE(i), own + PARAMETERS + i);
#endif
#ifdef RULE_GRADIENT_DESCENT
      changed |= to != own[i];
#endif
      own[i] = to;
    }
#ifdef RULE_GRADIENT_DESCENT
    if (changed)
      RAISE(moved);
#endif
#endif
    SYNC();
#ifdef RULE_GRADIENT_DESCENT
    /* A step that changes no parameter is followed by none that does: the step size never grows. */
    settled = !moved && !(settings[REST] < settings[INFINITE]);
#endif
  }
  if (leader && settled) {
    if (run[SETTLED] == 0)
      run[SETTLED] = run[ITERATIONS];
    for (; done < count && run[OUTCOME] == 0; done++) {
      const int keeps = slot < slots && first + done == kept[slot];
      observe(first + done, settings, run, keeps ? samples + (BLOCK * slots + slot) * SAMPLE : 0);
      slot += keeps;
    }
  }
  SYNC();
  FOR_EACH(i, MOVED) parameters[BLOCK * MOVED + i] = own[i];
  FOR_EACH(i, PROGRESS) progress[BLOCK * PROGRESS + i] = run[i];
#ifdef RULE_LBFGS
  if (THREAD == 0)
    keep_search(search, remembered);
#endif
}
