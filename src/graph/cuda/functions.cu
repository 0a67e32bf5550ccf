/* The operations of array expressions. */

/* A function of C's library in the precision. */
#ifdef SINGLE
#define MATH(name) name##f
#else
#define MATH(name) name
#endif

/* Points that a thread takes through a matrix at once: each element that it fetches is used for all of them. */
#define POINTS 4

/* NaN comes through all of these. */
DEVICE REAL reciprocal(REAL x) { return 1 / x; }
DEVICE REAL smaller(REAL a, REAL b) { return b < a || b != b ? b : a; }
DEVICE REAL larger(REAL a, REAL b) { return a < b || b != b ? b : a; }
DEVICE REAL sign(REAL x) { return x > 0 ? C(1) : x < 0 ? C(-1) : x * 0; }
DEVICE REAL sigmoid(REAL x) { return 1 / (1 + EXP(-x)); }
DEVICE REAL softplus(REAL x) { return (x < 0 ? C(0) : x) + MATH(log1p)(EXP(-ABS(x))); }

/* The slope of the square root, by the root: 0 at 0. */
DEVICE REAL root_slope(REAL root) { return root > 0 ? C(0.5) / root : root * 0; }

/* What `sum_parts` is for the other reductions. */
DEVICE REAL multiply_parts(const REAL *parts) {
  REAL product = parts[0];
  for (int part = 1; part < PARTS; part++)
    product *= parts[part];
  return product;
}
DEVICE REAL smallest_part(const REAL *parts) {
  REAL smallest = parts[0];
  for (int part = 1; part < PARTS; part++)
    smallest = smaller(smallest, parts[part]);
  return smallest;
}
DEVICE REAL largest_part(const REAL *parts) {
  REAL largest = parts[0];
  for (int part = 1; part < PARTS; part++)
    largest = larger(largest, parts[part]);
  return largest;
}

