DEVICE REAL term(int j, REAL u, REAL *slope) {
  REAL sine, cosine;
  const REAL root = SQRT(ABS(u));
  SIN_COS(root, &sine, &cosine);
  *slope = C(-0.5) * root * cosine - sine;
  return C(418.9828872724338) - u * sine;
}
