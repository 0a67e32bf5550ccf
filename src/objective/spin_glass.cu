/* `given.couplings`: one row per pair j <= k, j slowest, doubled where j < k; column i of D holds S_ijk. */

#define WORK (N * D + N * PARTS + N)

/* Points and columns that a thread takes through the couplings at once: each number that it fetches is used as often as there are of the
 * other. So many that in the paper's shape no thread has a second tile. By the report of NVRTC 13.0 for that shape a thread
 * of the kernel has 96 registers in f32 and spills 0 to 4 bytes on an H100, 56 to 64 on an A100; in f64 80 registers, and about 100 bytes. */
#define POINTS 5
#ifdef SINGLE
#define COLUMNS 5
#else
#define COLUMNS 2
#endif
#define COLUMNS_APART ((D + COLUMNS - 1) / COLUMNS)

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
  FOR_EACH(item, (N + POINTS - 1) / POINTS * COLUMNS_APART) {
    const int first = item / COLUMNS_APART * POINTS;
    const REAL *pair = given.couplings, *rows[POINTS];
    int column[COLUMNS];
    REAL force[POINTS][COLUMNS], inner[POINTS][COLUMNS];
    /* Neighboring threads take neighboring columns. */
    UNROLL for (int c = 0; c < COLUMNS; c++) {
      column[c] = item % COLUMNS_APART + c * COLUMNS_APART;
      column[c] = column[c] < D ? column[c] : D - 1;
    }
    UNROLL for (int p = 0; p < POINTS; p++) {
      rows[p] = spins + (first + p < N ? first + p : N - 1) * D;
      UNROLL for (int c = 0; c < COLUMNS; c++) force[p][c] = 0;
    }
    for (int j = 0; j < D; j++) {
      UNROLL for (int p = 0; p < POINTS; p++)
        UNROLL for (int c = 0; c < COLUMNS; c++) inner[p][c] = 0;
      for (int k = j; k < D; k++, pair += D) {
        REAL spin[POINTS];
        UNROLL for (int p = 0; p < POINTS; p++) spin[p] = rows[p][k];
        UNROLL for (int c = 0; c < COLUMNS; c++) {
          const REAL coupling = pair[column[c]];
          UNROLL for (int p = 0; p < POINTS; p++) inner[p][c] += spin[p] * coupling;
        }
      }
      UNROLL for (int p = 0; p < POINTS; p++)
        UNROLL for (int c = 0; c < COLUMNS; c++) force[p][c] += rows[p][j] * inner[p][c];
    }
    UNROLL for (int p = 0; p < POINTS; p++)
      UNROLL for (int c = 0; c < COLUMNS; c++)
        if (first + p < N && item % COLUMNS_APART + c * COLUMNS_APART < D)
          gradient[(first + p) * D + column[c]] = force[p][c];
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
