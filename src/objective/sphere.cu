DEVICE REAL term(int j, REAL u, REAL *slope) {
  *slope = u + u;
  return u * u;
}
