#define WORK (N * PARTS)

DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work) {
  FOR_EACH(item, N * PARTS) {
    REAL sum = 0;
    for (int j = item % PARTS; j < D; j += PARTS) {
      const int i = item / PARTS * D + j;
      const REAL u = U(i);
      REAL slope = 0;
      if (j > 0) {
        const REAL before = U(i - 1);
        slope = C(200) * (u - before * before);
      }
      if (j + 1 < D) {
        const REAL wall = U(i + 1) - u * u, pull = u - C(1);
        slope += C(-400) * wall * u + (pull + pull);
        sum += C(100) * wall * wall + pull * pull;
      }
      gradient[i] = slope;
    }
    work[item] = sum;
  }
  SYNC();
  FOR_EACH(row, N) values[row] = sum_parts(work + row * PARTS);
  SYNC();
}
