/* Gradient descent: one block of threads per run, many iterations per launch. */

/* Settings that all runs share, and their number. */
enum { FACTOR, PATIENCE, THRESHOLD, FLOOR, LEAST_CHANGE, GRADIENT_SCALE, LOWER, UPPER, MINIMUM, MAXIMUM, INFINITE, SETTINGS };
/* The state of a run. SETTLED is the first iteration whose step changed no parameter, plus 1; 0 before there is one. */
enum {
  STEP_SIZE,
  BEST_MEAN,
  FAILURES,
  BEST,
  ITERATIONS,
  LAST_MIN,
  LAST_MEAN,
  LAST_STEP_SIZE,
  DIVERGED,
  SETTLED,
  PROGRESS
};
/* What a trace keeps of an iteration. */
enum { SAMPLE_MIN, SAMPLE_MEAN, SAMPLE_BEST, SAMPLE_STEP_SIZE, SAMPLE };

/* The scalars that a run moves, and all that it works on. */
#ifdef DEEP
#define WIDEST (K > H ? K : H)
#define PARAMETERS (N * K + (K + 1) * H + (L - 1) * (H + 1) * H + (H + 1) * D)
#define FLOW ((L + 1) * N * WIDEST)
#else
#define PARAMETERS (N * D)
#define FLOW 0
#endif
#define WORDS (PARAMETERS + FLOW + 2 * N * D + N + WORK)

/* A compile-time check of what the host allocates. */
typedef char words_are_those_of_the_host[(WORDS) == (BLOCK_WORDS) ? 1 : -1];

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

#ifdef DEEP

/* The elements of a matrix, `row` and `column` apart: transposing one exchanges the two. */
typedef struct {
  const REAL *data;
  int row, column;
} Matrix;

DEVICE Matrix matrix(const REAL *data, int row, int column) {
  Matrix of = {data, row, column};
  return of;
}

/* What becomes of an element of a product. */
typedef enum { PLUS_BIAS, PLUS_BIAS_RELU, PLAIN, WHERE_ACTIVE, ADDED } Finish;

/* A thread takes tiles of this many rows and columns: each number that it fetches is used as often. */
#define TILE 2

/* `result` (rows x columns, packed) from left (rows x terms) times right (terms x columns). `other` is the bias, or the
 * activations, which are positive where the gradient passes. Returns whether this thread changed what was added to. */
DEVICE int multiply(int rows, int columns, int terms, Matrix left, Matrix right, Finish finish, const REAL *other,
                    REAL *result) {
  const int across = (columns + TILE - 1) / TILE, down = (rows + TILE - 1) / TILE;
  int changed = 0;
  FOR_EACH(tile, across * down) {
    REAL sums[TILE][TILE] = {{0}};
    int row[TILE], column[TILE];
    for (int t = 0; t < TILE; t++) {
      row[t] = tile / across * TILE + t;
      column[t] = tile % across * TILE + t;
    }
    for (int term = 0; term < terms; term++) {
      REAL a[TILE], b[TILE];
      for (int t = 0; t < TILE; t++) {
        a[t] = left.data[(row[t] < rows ? row[t] : rows - 1) * left.row + term * left.column];
        b[t] = right.data[term * right.row + (column[t] < columns ? column[t] : columns - 1) * right.column];
      }
      for (int r = 0; r < TILE; r++)
        for (int c = 0; c < TILE; c++)
          sums[r][c] += a[r] * b[c];
    }
    for (int r = 0; r < TILE; r++)
      for (int c = 0; c < TILE; c++) {
        if (row[r] >= rows || column[c] >= columns)
          continue;
        const int at = row[r] * columns + column[c];
        REAL sum = sums[r][c];
        if (finish == PLUS_BIAS || finish == PLUS_BIAS_RELU)
          sum += other[column[c]];
        /* Not max: NaN must stay NaN, since it marks a diverged run. */
        if (finish == PLUS_BIAS_RELU)
          sum = sum < 0 ? C(0) : sum;
        if (finish == WHERE_ACTIVE)
          sum = other[at] > 0 ? sum : C(0);
        if (finish == ADDED) {
          sum += result[at];
          changed |= sum != result[at];
        }
        result[at] = sum;
      }
  }
  return changed;
}

/* Weight (inputs x outputs) and, after it, bias of a layer; layer 0 has K inputs, and layer L has D outputs. */
DEVICE int weights_of(int layer) { return layer == 0 ? N * K : N * K + (K + 1) * H + (layer - 1) * (H + 1) * H; }

/* y = net(z) into x. `parameters` begin with z (N x K); `flow` takes the L activations (N x H). */
DEVICE void embed(const REAL *parameters, REAL *flow, REAL *x) {
  const REAL *input = parameters;
  int inputs = K;
  for (int layer = 0; layer <= L; layer++) {
    const REAL *weight = parameters + weights_of(layer);
    const int outputs = layer == L ? D : H;
    REAL *output = layer == L ? x : flow + layer * N * WIDEST;
    multiply(N, outputs, inputs, matrix(input, inputs, 1), matrix(weight, outputs, 1),
             layer == L ? PLUS_BIAS : PLUS_BIAS_RELU, weight + inputs * outputs, output);
    SYNC();
    input = output;
    inputs = H;
  }
}

/* With `slopes` (N x D) the gradient in y times minus the step, adds to every parameter what follows from it: the backward pass
 * is linear, so what flows back are the updates themselves. Returns whether this thread changed any. */
DEVICE int update_network(REAL *parameters, REAL *flow, const REAL *slopes) {
  int changed = 0;
  for (int layer = L; layer >= 0; layer--) {
    REAL *weight = parameters + weights_of(layer);
    const int inputs = layer == 0 ? K : H, outputs = layer == L ? D : H;
    const REAL *input = layer == 0 ? parameters : flow + (layer - 1) * N * WIDEST;
    /* The slopes in the input go where the activation after it was: it is not needed any more. */
    REAL *below = flow + layer * N * WIDEST;
    multiply(N, inputs, outputs, matrix(slopes, outputs, 1), matrix(weight, 1, outputs), layer == 0 ? PLAIN : WHERE_ACTIVE,
             input, below);
    SYNC();
    changed |= multiply(inputs, outputs, N, matrix(input, 1, inputs), matrix(slopes, outputs, 1), ADDED, weight, weight);
    REAL *bias = weight + inputs * outputs;
    FOR_EACH(o, outputs) {
      REAL sum = bias[o];
      for (int row = 0; row < N; row++)
        sum += slopes[row * outputs + o];
      changed |= sum != bias[o];
      bias[o] = sum;
    }
    SYNC();
    slopes = below;
  }
  FOR_EACH(i, N * K) {
    const REAL moved = parameters[i] + slopes[i];
    changed |= moved != parameters[i];
    parameters[i] = moved;
  }
  return changed;
}

#endif

/* Takes every run that has not diverged from iteration `first` `count` further.
 *
 * One for all runs: `settings`; `kept`, the `slots` iterations among those that traces keep. One a run: `gains` of the squash;
 * `seeds`, which of the `couplings` are its own; `parameters`; `progress` (PROGRESS numbers); `best_x` (D); `samples` (SAMPLE
 * numbers a slot); `workspace` (BLOCK_WORDS) where shared memory is too small. */
KERNEL descend(long long first, long long count, const double *settings, const double *gains, const int *seeds,
               const REAL *couplings, REAL *parameters, double *progress, REAL *best_x, const long long *kept, int slots,
               double *samples, REAL *workspace) {
  BLOCK_SHARED int moved;
  BLOCK_MEMORY;
#ifdef GLOBAL_MEMORY
  REAL *own = workspace + BLOCK * BLOCK_WORDS;
#else
  REAL *own = (REAL *)block_memory;
#endif
  REAL *flow = own + PARAMETERS, *x = flow + FLOW, *gradient = x + N * D, *values = gradient + N * D, *work = values + N;
  double *run = progress + BLOCK * PROGRESS;
  if (run[DIVERGED] != 0)
    return;
  /* Every thread keeps these for itself, and all of them come to the same. */
  double step_size = run[STEP_SIZE], best_mean = run[BEST_MEAN], failures = run[FAILURES];
  double mean = 0, last_step_size = 0, settled_at = run[SETTLED];
  REAL best = C(run[BEST]), min = 0;
  int slot = 0, settled = 0, diverged = 0;
  const double gain = gains[BLOCK], reciprocal = 1 / (settings[MAXIMUM] - settings[MINIMUM]);
  const Given given = {C(0.5 * (settings[LOWER] + settings[UPPER])), C(settings[UPPER] - settings[LOWER]),
                       couplings + (long long)seeds[BLOCK] * (long long)DATA};
  FOR_EACH(i, PARAMETERS) own[i] = parameters[BLOCK * PARAMETERS + i];
  SYNC();
  long long iteration = first;
  for (; iteration < first + count && !diverged; iteration++) {
    if (!settled) {
#ifdef DEEP
      embed(own, flow, x);
      FOR_EACH(i, N * D) x[i] = squash(x[i], C(gain));
#else
      FOR_EACH(i, N * D) x[i] = squash(own[i], C(gain));
#endif
      SYNC();
      if (THREAD == 0)
        moved = 0;
      evaluate(given, x, gradient, values, work);
      /* All threads read all values, each at the same time: no further phase. Four sums, and in which order, as on the CPU. */
      double sums[4] = {0, 0, 0, 0};
      int lowest = 0;
      min = C(settings[INFINITE]);
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
      mean = (sums[0] + sums[1] + sums[2] + sums[3]) / N;
      if (min < best) {
        best = min;
        FOR_EACH(j, D) best_x[BLOCK * D + j] = x[lowest * D + j];
      }
      int changed = 0;
      const double slope = reciprocal * (settings[UPPER] - settings[LOWER]);
      const double scale = -(step_size * settings[GRADIENT_SCALE] / N) * slope;
#ifdef CLAMP
      FOR_EACH(i, N * D) {
        /* Projected descent steps from the clamped point. */
        const REAL to = x[i] + C(scale) * gradient[i];
        changed |= to != own[i];
        own[i] = to;
      }
#else
      const REAL factor = C(scale * gain);
#ifdef DEEP
      FOR_EACH(i, N * D) gradient[i] *= factor * (x[i] - x[i] * x[i]);
      SYNC();
      changed = update_network(own, flow, gradient);
#else
      FOR_EACH(i, N * D) {
        const REAL to = own[i] + factor * gradient[i] * (x[i] - x[i] * x[i]);
        changed |= to != own[i];
        own[i] = to;
      }
#endif
#endif
      if (changed)
        RAISE(moved);
      SYNC();
      /* A step that changes no parameter is followed by none that does: the step size never grows. */
      settled = !moved;
      if (settled && settled_at == 0)
        settled_at = iteration + 1;
    }
    last_step_size = step_size;
    if (slot < slots && iteration == kept[slot]) {
      if (THREAD == 0) {
        double *sample = samples + (BLOCK * slots + slot) * SAMPLE;
        sample[SAMPLE_MIN] = min;
        sample[SAMPLE_MEAN] = mean;
        sample[SAMPLE_BEST] = best;
        sample[SAMPLE_STEP_SIZE] = step_size;
      }
      slot++;
    }
    if (mean < best_mean - settings[THRESHOLD]) {
      best_mean = mean;
      failures = 0;
    } else if (++failures > settings[PATIENCE]) {
      /* Volatile: the product is rounded before it is subtracted, as on the CPU. */
      const volatile double product = step_size * settings[FACTOR];
      const double smaller = product > settings[FLOOR] ? product : settings[FLOOR];
      if (step_size - smaller > settings[LEAST_CHANGE])
        step_size = smaller;
      failures = 0;
    }
    /* Neither infinite nor NaN. */
    diverged = !(mean - mean == 0);
  }
  FOR_EACH(i, PARAMETERS) parameters[BLOCK * PARAMETERS + i] = own[i];
  if (THREAD == 0) {
    run[STEP_SIZE] = step_size;
    run[BEST_MEAN] = best_mean;
    run[FAILURES] = failures;
    run[BEST] = best;
    run[ITERATIONS] = (double)iteration;
    run[LAST_MIN] = min;
    run[LAST_MEAN] = mean;
    run[LAST_STEP_SIZE] = last_step_size;
    run[DIVERGED] = diverged;
    run[SETTLED] = settled_at;
  }
}
