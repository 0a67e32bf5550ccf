#define WORK (2 * N * PARTS)
#define EULER 2.71828182845904523536

DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work) {
  /* The value is 20 (1 - exp(-n/5)) + e (1 - exp(-m)), with n the norm and m the mean of 1 - cos = 2 sin^2: nothing cancels. */
  REAL *squares = work, *waves = work + N * PARTS;
  FOR_EACH(item, N * PARTS) {
    REAL square = 0, wave = 0;
    for (int j = item % PARTS; j < D; j += PARTS) {
      const int i = item / PARTS * D + j;
      const REAL u = U(i);
      REAL sine, cosine;
      SIN_COS_PI(u, &sine, &cosine);
      gradient[i] = sine * cosine;
      square += u * u;
      wave += sine * sine;
    }
    squares[item] = square;
    waves[item] = wave;
  }
  SYNC();
  FOR_EACH(row, N) {
    const REAL norm = SQRT(sum_parts(squares + row * PARTS) * C(1.0 / D));
    const REAL funnel = EXPM1(C(-0.2) * norm), wave = EXPM1(sum_parts(waves + row * PARTS) * C(-2.0 / D));
    values[row] = C(-20) * funnel - C(EULER) * wave;
    /* At the origin the funnel has a tip; 0 is the middle of its slopes. */
    squares[row * PARTS] = norm > 0 ? C(4.0 / D) * (funnel + C(1)) / norm : C(0);
    waves[row * PARTS] = C(4 * PI * EULER / D) * (wave + C(1));
  }
  SYNC();
  FOR_EACH(i, N * D) {
    const int row = i / D;
    gradient[i] = waves[row * PARTS] * gradient[i] + squares[row * PARTS] * U(i);
  }
  SYNC();
}
