/* L-BFGS with a backtracking line search, in double precision whatever the parameters are in: every iteration evaluates one trial point.
 *
 * A run's `memory` has the numbers of Search; the point that the line search set out from, its gradient and its direction (PARAMETERS each);
 * HISTORY weights; and HISTORY + 1 places for pairs, one of them free: the curvatures, 1 / (step . change), of all, then of each a step and the
 * change of the gradient over it (PARAMETERS each). */

/* The share of the decrease that the slope promises which a step has to bring, the bounds of the factor by which one that does not is
 * shortened, and the trials along one direction after which the history is dropped. */
#define SUFFICIENT 1e-4
#define LEAST_SHORTER 0.1
#define MOST_SHORTER 0.5
#define TRIALS 20

/* How many threads share a sum over the parameters. */
#define LANES 64

/* Where the line search stands: every thread keeps it for itself, and all of them come to the same. */
typedef struct {
  double mean, slope, length;
  int begun, trials, pairs, oldest;
} Search;

/* The places in the memory of what comes after Search. */
#define ORIGIN(memory) ((memory) + SEARCH)
#define ORIGIN_GRADIENT(memory) (ORIGIN(memory) + PARAMETERS)
#define DIRECTION(memory) (ORIGIN(memory) + 2 * PARAMETERS)
#define WEIGHTS(memory) (ORIGIN(memory) + 3 * PARAMETERS)
#define CURVATURES(memory) (WEIGHTS(memory) + HISTORY)
#define PAIR(memory, place) (CURVATURES(memory) + HISTORY + 1 + (place) * 2LL * PARAMETERS)

DEVICE Search search_of(const double *memory) {
  Search search = {memory[SEARCH_MEAN],        memory[SEARCH_SLOPE],       memory[SEARCH_LENGTH],     (int)memory[SEARCH_BEGUN],
                   (int)memory[SEARCH_TRIALS], (int)memory[SEARCH_PAIRS], (int)memory[SEARCH_OLDEST]};
  return search;
}

DEVICE void keep_search(Search search, double *memory) {
  memory[SEARCH_MEAN] = search.mean;
  memory[SEARCH_SLOPE] = search.slope;
  memory[SEARCH_LENGTH] = search.length;
  memory[SEARCH_BEGUN] = search.begun;
  memory[SEARCH_TRIALS] = search.trials;
  memory[SEARCH_PAIRS] = search.pairs;
  memory[SEARCH_OLDEST] = search.oldest;
}

/* The inner product of two vectors that are written, in an order that does not depend on the number of threads. */
DEVICE double inner(const double *a, const double *b, double *lanes) {
  FOR_EACH(lane, LANES) {
    double sum = 0;
    for (int i = FIRST_MOVED + lane; i < PARAMETERS; i += LANES)
      sum += a[i] * b[i];
    lanes[lane] = sum;
  }
  SYNC();
  double sum = 0;
  for (int lane = 0; lane < LANES; lane++)
    sum += lanes[lane];
  SYNC();
  return sum;
}

/* The place of pair number `age`, the oldest being number 0. */
DEVICE int place_of(Search search, int age) { return (search.oldest + age) % (HISTORY + 1); }

/* Minus the inverse Hessian, as the history knows it, times the gradient at the origin: the two-loop recursion. */
DEVICE void turn(Search search, double *memory, double *lanes) {
  double *direction = DIRECTION(memory), *weights = WEIGHTS(memory);
  const double *gradient = ORIGIN_GRADIENT(memory);
  FOR_EACH_MOVED(i) direction[i] = -gradient[i];
  SYNC();
  for (int age = search.pairs - 1; age >= 0; age--) {
    const double *step = PAIR(memory, place_of(search, age)), *change = step + PARAMETERS;
    const double weight = CURVATURES(memory)[place_of(search, age)] * inner(step, direction, lanes);
    FOR_EACH_MOVED(i) direction[i] -= weight * change[i];
    if (THREAD == 0)
      weights[age] = weight;
    SYNC();
  }
  if (search.pairs > 0) {
    const int newest = place_of(search, search.pairs - 1);
    const double *change = PAIR(memory, newest) + PARAMETERS;
    const double scale = 1 / (CURVATURES(memory)[newest] * inner(change, change, lanes));
    FOR_EACH_MOVED(i) direction[i] *= scale;
    SYNC();
  }
  for (int age = 0; age < search.pairs; age++) {
    const double *step = PAIR(memory, place_of(search, age)), *change = step + PARAMETERS;
    const double correction = weights[age] - CURVATURES(memory)[place_of(search, age)] * inner(change, direction, lanes);
    FOR_EACH_MOVED(i) direction[i] += correction * step[i];
    SYNC();
  }
}

/* Sets out from the origin along a new direction. */
DEVICE Search set_out(Search search, double rate, double *memory, double *lanes) {
  const double *gradient = ORIGIN_GRADIENT(memory);
  turn(search, memory, lanes);
  search.slope = inner(gradient, DIRECTION(memory), lanes);
  if (!(search.slope < 0 && search.slope - search.slope == 0)) {
    search.pairs = 0;
    turn(search, memory, lanes);
    search.slope = inner(gradient, DIRECTION(memory), lanes);
  }
  /* Without a history the direction has the units of a gradient: the first step is at most as long as the rate. */
  search.length = rate;
  if (search.pairs == 0) {
    const double reciprocal = 1 / sqrt(inner(gradient, gradient, lanes));
    search.length = reciprocal < 1 ? rate * reciprocal : rate;
  }
  search.trials = 0;
  search.begun = 1;
  return search;
}

/* One step from `values` with `mean` and its `gradient`. */
DEVICE Search line_search(Search search, double rate, double mean, REAL *values, const REAL *gradient, double *memory,
                          double *lanes) {
  double *origin = ORIGIN(memory), *slopes = ORIGIN_GRADIENT(memory);
  const int accepted = search.begun && mean <= search.mean + SUFFICIENT * search.length * search.slope;
  if (accepted) {
    const int spare = place_of(search, search.pairs);
    double *step = PAIR(memory, spare), *change = step + PARAMETERS;
    FOR_EACH_MOVED(i) {
      step[i] = (double)values[i] - origin[i];
      change[i] = (double)gradient[i] - slopes[i];
    }
    SYNC();
    const double product = inner(step, change, lanes);
    if (product > 2.220446049250313e-16 * inner(change, change, lanes)) {
      if (THREAD == 0)
        CURVATURES(memory)[spare] = 1 / product;
      if (search.pairs == HISTORY)
        search.oldest = place_of(search, 1);
      else
        search.pairs++;
    }
  }
  if (accepted || !search.begun) {
    FOR_EACH_MOVED(i) {
      origin[i] = values[i];
      slopes[i] = gradient[i];
    }
    SYNC();
    search.mean = mean;
    search = set_out(search, rate, memory, lanes);
  } else if (++search.trials == TRIALS && search.pairs > 0) {
    search.pairs = 0;
    search = set_out(search, rate, memory, lanes);
  } else {
    /* The minimum of the parabola through both objectives with the slope at the origin. */
    const double rise = mean - search.mean - search.length * search.slope;
    const double factor = -0.5 * search.length * search.slope / rise;
    if (!(factor - factor == 0) || factor < LEAST_SHORTER)
      search.length *= LEAST_SHORTER;
    else
      search.length *= factor > MOST_SHORTER ? MOST_SHORTER : factor;
  }
  const double *direction = DIRECTION(memory);
  FOR_EACH_MOVED(i)
    values[i] = C(search.length * direction[i] + origin[i]);
  return search;
}
