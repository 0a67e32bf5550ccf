#define WORK (2 * N * PARTS)

DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work) {
  REAL *squares = work, *cosines = work + N * PARTS;
  FOR_EACH(item, N * PARTS) {
    REAL square = 0, cosines_sum = 0;
    for (int j = item % PARTS; j < D; j += PARTS) {
      const int i = item / PARTS * D + j;
      const REAL u = U(i);
      REAL cosine;
      SIN_COS_PI(u + u, &gradient[i], &cosine);
      square += u * u;
      cosines_sum += cosine;
    }
    squares[item] = square;
    cosines[item] = cosines_sum;
  }
  SYNC();
  FOR_EACH(row, N) {
    const REAL norm = SQRT(sum_parts(squares + row * PARTS) * C(1.0 / D));
    const REAL funnel = C(20) * EXP(C(-0.2) * norm);
    const REAL waves = EXP(sum_parts(cosines + row * PARTS) * C(1.0 / D));
    values[row] = (C(20) - funnel) + (C(2.71828182845904523536) - waves);
    /* At the origin the funnel has a tip; 0 is the middle of its slopes. */
    squares[row * PARTS] = norm > 0 ? C(0.2) * funnel * C(1.0 / D) / norm : C(0);
    cosines[row * PARTS] = C(2 * PI) * waves * C(1.0 / D);
  }
  SYNC();
  FOR_EACH(i, N * D) {
    const int row = i / D;
    gradient[i] = cosines[row * PARTS] * gradient[i] + squares[row * PARTS] * U(i);
  }
  SYNC();
}
