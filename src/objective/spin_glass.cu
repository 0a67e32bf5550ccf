/* `given.couplings`: one row per pair j <= k, j slowest, doubled where j < k; column i of D holds S_ijk. */

#define WORK (N * D + N * PARTS + N)

/* Points that a thread takes through the couplings at once: each coupling that it fetches is used for all of them. */
#define POINTS 10

DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work) {
  REAL *spins = work, *parts = spins + N * D, *scales = parts + N * PARTS;
  FOR_EACH(item, N * PARTS) {
    REAL sum = 0;
    for (int j = item % PARTS; j < D; j += PARTS) {
      const REAL u = U(item / PARTS * D + j);
      sum += u * u;
    }
    parts[item] = sum;
  }
  SYNC();
  FOR_EACH(row, N) {
    const REAL norm = SQRT(sum_parts(parts + row * PARTS));
    /* The origin has no direction, and 0 is the mean over all of them. */
    scales[row] = norm > 0 ? 1 / norm : C(0);
  }
  SYNC();
  FOR_EACH(i, N * D) spins[i] = SQRT(C(D)) * scales[i / D] * U(i);
  SYNC();
  FOR_EACH(item, (N + POINTS - 1) / POINTS * D) {
    const int column = item % D, first = item / D * POINTS;
    const REAL *pair = given.couplings + column;
    const REAL *rows[POINTS];
    REAL force[POINTS], inner[POINTS];
    for (int p = 0; p < POINTS; p++) {
      rows[p] = spins + (first + p < N ? first + p : N - 1) * D;
      force[p] = 0;
    }
    for (int j = 0; j < D; j++) {
      for (int p = 0; p < POINTS; p++)
        inner[p] = 0;
      for (int k = j; k < D; k++, pair += D)
        for (int p = 0; p < POINTS; p++)
          inner[p] += rows[p][k] * *pair;
      for (int p = 0; p < POINTS; p++)
        force[p] += rows[p][j] * inner[p];
    }
    for (int p = 0; p < POINTS && first + p < N; p++)
      gradient[(first + p) * D + column] = force[p];
  }
  SYNC();
  FOR_EACH(item, N * PARTS) {
    REAL sum = 0;
    for (int j = item % PARTS; j < D; j += PARTS)
      sum += spins[item / PARTS * D + j] * gradient[item / PARTS * D + j];
    parts[item] = sum;
  }
  SYNC();
  FOR_EACH(row, N) values[row] = sum_parts(parts + row * PARTS) * C(1.0 / D) * C(1.0 / D);
  SYNC();
  /* 3 / (D sqrt D |u|) (Y - s (s.Y)/D): the part of Y along the sphere. */
  FOR_EACH(i, N * D) {
    const int row = i / D;
    gradient[i] = C(3.0 / D) / SQRT(C(D)) * scales[row] * (gradient[i] - C(D) * values[row] * spins[i]);
  }
  SYNC();
}
