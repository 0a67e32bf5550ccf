/* Descent: one block of threads per run, many iterations per launch. */

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

/* The constants of the rule in one iteration. */
typedef struct {
  REAL rate, momentum, smoothing, epsilon, correction, shrink;
} Rule;

/* A parameter after a step. `state` has STATES numbers, PARAMETERS apart. For gradient descent, `gradient` is times minus the step size. */
DEVICE REAL moved_by(Rule rule, REAL value, REAL gradient, REAL *state) {
#if defined(RULE_MOMENTUM)
  *state = *state * rule.momentum + gradient;
  return value - *state * rule.rate;
#elif defined(RULE_NESTEROV)
  *state = *state * rule.momentum + gradient;
  return value - (*state * rule.momentum + gradient) * rule.rate;
#elif defined(RULE_RMSPROP)
  *state = gradient * gradient * (1 - rule.smoothing) + *state * rule.smoothing;
  return value - gradient / (SQRT(*state) + rule.epsilon) * rule.rate;
#elif defined(RULE_ADAM) || defined(RULE_ADAMW)
  REAL *mean = state, *square = state + PARAMETERS;
  *mean = (gradient - *mean) * (1 - rule.momentum) + *mean;
  *square = gradient * gradient * (1 - rule.smoothing) + *square * rule.smoothing;
  return value * rule.shrink - *mean / (SQRT(*square) * rule.correction + rule.epsilon) * rule.rate;
#else
  return value + gradient;
#endif
}

/* The objectives of an iteration, summed up. */
typedef struct {
  double mean;
  REAL min, best;
} Summary;

/* One thread does this while others go on. Four sums, and in which order, as on the CPU. */
DEVICE void sum_up(const REAL *values, const REAL *x, const double *settings, Summary *summary, REAL *best_x) {
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
  summary->mean = (sums[0] + sums[1] + sums[2] + sums[3]) / N;
  summary->min = min;
  if (min < summary->best) {
    summary->best = min;
    for (int j = 0; j < D; j++)
      best_x[j] = x[lowest * D + j];
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
  BLOCK_SHARED Summary summary;
  BLOCK_MEMORY;
#ifdef GLOBAL_MEMORY
  REAL *own = workspace + BLOCK * BLOCK_WORDS;
#else
  REAL *own = (REAL *)block_memory;
#endif
  REAL *flow = own + MOVED, *x = flow + FLOW, *gradient = x + N * D, *values = gradient + N * D, *work = values + N;
  double *run = progress + BLOCK * PROGRESS;
  if (run[OUTCOME] != 0)
    return;
  /* Every thread keeps these for itself, and all of them come to the same. */
  double step_size = run[STEP_SIZE], best_mean = run[BEST_MEAN], failures = run[FAILURES], cooling = run[COOLING];
  double reference = run[REFERENCE], reference_at = run[REFERENCE_AT];
  double last_step_size = 0, settled_at = run[SETTLED];
  int slot = 0, settled = 0, outcome = 0;
#if defined(RULE_ADAM) || defined(RULE_ADAMW)
  double first_power = run[FIRST_POWER], second_power = run[SECOND_POWER];
#endif
#ifdef RULE_LBFGS
  BLOCK_SHARED double lanes[LANES];
  double *remembered = memory + BLOCK * MEMORY;
  Search search = search_of(remembered);
#endif
  const double gain = gains[BLOCK], reciprocal = 1 / (settings[MAXIMUM] - settings[MINIMUM]);
  const Given given = {C(0.5 * (settings[LOWER] + settings[UPPER])), C(settings[UPPER] - settings[LOWER]),
                       couplings + (long long)seeds[BLOCK] * (D * (D + 1LL) / 2 * D)};
  FOR_EACH(i, MOVED) own[i] = parameters[BLOCK * MOVED + i];
  if (THREAD == 0) {
    summary.best = C(run[BEST]);
    summary.min = C(run[LAST_MIN]);
    summary.mean = run[LAST_MEAN];
  }
  SYNC();
  long long iteration = first;
  for (; iteration < first + count && !outcome; iteration++) {
    if (!settled) {
#ifdef DEEP
      embed(own, flow, bases + (long long)seeds[BLOCK] * (N * D), C(gain), x);
#else
      FOR_EACH(i, N * D) x[i] = squash(own[i], C(gain));
      SYNC();
#endif
      if (THREAD == 0)
        moved = 0;
      evaluate(given, x, gradient, values, work);
      /* The last thread, which has least to do in the phase that follows. */
      if (THREAD == THREADS - 1)
        sum_up(values, x, settings, &summary, best_x + BLOCK * D);
      const double slope = reciprocal * (settings[UPPER] - settings[LOWER]);
#ifdef RULE_GRADIENT_DESCENT
      const double scale = -(step_size * settings[GRADIENT_SCALE] / N) * slope;
      const Rule rule = {0};
#else
      const double scale = settings[GRADIENT_SCALE] / N * slope;
      Rule rule = {C(step_size), C(settings[MOMENTUM]), C(settings[SMOOTHING]), C(settings[EPSILON]), 1, 1};
#if defined(RULE_ADAM) || defined(RULE_ADAMW)
      first_power *= settings[MOMENTUM];
      second_power *= settings[SMOOTHING];
      rule.rate = C(step_size / (1 - first_power));
      rule.correction = C(1 / sqrt(1 - second_power));
      rule.shrink = C(1 - step_size * settings[DECAY]);
#endif
#endif
#ifdef CLAMP
      const REAL factor = C(scale);
#define SLOPE(i) factor * gradient[i]
#else
      const REAL factor = C(scale * gain);
#define SLOPE(i) factor *gradient[i] * (x[i] - x[i] * x[i])
#endif
      int changed = 0;
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
      search = line_search(search, step_size, settings[GRADIENT_SCALE] * summary.mean, own, slopes, remembered, lanes);
#else
      for (int i = FIRST_MOVED + THREAD; i < PARAMETERS; i += THREADS) {
        /* Projected descent steps from the clamped point. */
#if defined(DEEP)
        const REAL to = moved_by(rule, own[i], slopes[i], own + PARAMETERS + i);
#elif defined(CLAMP)
        const REAL to = moved_by(rule, x[i], SLOPE(i), own + PARAMETERS + i);
#else
        const REAL to = moved_by(rule, own[i], SLOPE(i), own + PARAMETERS + i);
#endif
        changed |= to != own[i];
        own[i] = to;
      }
#endif
      if (changed)
        RAISE(moved);
      SYNC();
#ifdef RULE_GRADIENT_DESCENT
      /* A step that changes no parameter is followed by none that does: the step size never grows. */
      settled = !moved && !(settings[REST] < settings[INFINITE]);
      if (settled && settled_at == 0)
        settled_at = (double)(iteration + 1);
#endif
    }
    const double mean = summary.mean;
    const REAL best = summary.best;
    last_step_size = step_size;
    if (slot < slots && iteration == kept[slot]) {
      if (THREAD == 0) {
        double *sample = samples + (BLOCK * slots + slot) * SAMPLE;
        sample[SAMPLE_MIN] = summary.min;
        sample[SAMPLE_MEAN] = mean;
        sample[SAMPLE_BEST] = best;
        sample[SAMPLE_STEP_SIZE] = step_size;
      }
      slot++;
    }
#if defined(COSINE)
    const double taken = (double)(iteration + 1), fall = settings[FALL], initial = run[INITIAL];
    const double share = (taken < fall ? taken : fall) / fall;
    /* A rate that starts below the floor stays where it is. */
    const double floor = settings[FLOOR] < initial ? settings[FLOOR] : initial;
    step_size = floor + (initial - floor) * 0.5 * (1 + cos(PI * share));
#elif defined(PLATEAU)
#ifdef RELATIVE
    const double bound = best_mean * (1 - settings[THRESHOLD]);
#else
    const double bound = best_mean - settings[THRESHOLD];
#endif
    if (mean < bound) {
      best_mean = mean;
      failures = 0;
    } else
      failures++;
    if (cooling > 0) {
      cooling--;
      failures = 0;
    }
    if (failures > settings[PATIENCE]) {
      /* Volatile: the product is rounded before it is subtracted, as on the CPU. */
      const volatile double product = step_size * settings[FACTOR];
      const double smaller = product > settings[FLOOR] ? product : settings[FLOOR];
      if (step_size - smaller > settings[LEAST_CHANGE])
        step_size = smaller;
      cooling = settings[COOLDOWN];
      failures = 0;
    }
#endif
    /* Neither infinite nor NaN. */
    if (!(mean - mean == 0))
      outcome = DIVERGED;
    else if (best <= settings[TARGET])
      outcome = REACHED;
    else {
      if (reference - best > settings[TOLERANCE]) {
        reference = best;
        reference_at = (double)iteration;
      }
      if ((double)iteration - reference_at >= settings[REST])
        outcome = CONVERGED;
    }
  }
  FOR_EACH(i, MOVED) parameters[BLOCK * MOVED + i] = own[i];
  if (THREAD == 0) {
    run[STEP_SIZE] = step_size;
    run[BEST_MEAN] = best_mean;
    run[FAILURES] = failures;
    run[COOLING] = cooling;
    run[BEST] = summary.best;
    run[REFERENCE] = reference;
    run[REFERENCE_AT] = reference_at;
    run[ITERATIONS] = (double)iteration;
    run[LAST_MIN] = summary.min;
    run[LAST_MEAN] = summary.mean;
    run[LAST_STEP_SIZE] = last_step_size;
    run[OUTCOME] = outcome;
    run[SETTLED] = settled_at;
#if defined(RULE_ADAM) || defined(RULE_ADAMW)
    run[FIRST_POWER] = first_power;
    run[SECOND_POWER] = second_power;
#endif
#ifdef RULE_LBFGS
    keep_search(search, remembered);
#endif
  }
}
