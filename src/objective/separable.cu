/* Functions that are sums over coordinates: `term` gives the summand of coordinate j at u, and its derivative. */

#define WORK (N * PARTS)

DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work) {
  FOR_EACH(item, N * PARTS) {
    REAL sum = 0;
    for (int j = item % PARTS; j < D; j += PARTS) {
      const int i = item / PARTS * D + j;
      sum += term(j, U(i), &gradient[i]);
    }
    work[item] = sum;
  }
  SYNC();
  FOR_EACH(row, N) values[row] = sum_parts(work + row * PARTS);
  SYNC();
}
