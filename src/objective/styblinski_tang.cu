DEVICE REAL term(int j, REAL u, REAL *slope) {
  const REAL square = u * u;
  *slope = u * (C(2) * square - C(16)) + C(2.5);
  return square * (C(0.5) * square - C(8)) + C(2.5) * u;
}
