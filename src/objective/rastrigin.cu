DEVICE REAL term(int j, REAL u, REAL *slope) {
  REAL sine, cosine;
  SIN_COS_PI(u + u, &sine, &cosine);
  *slope = C(20 * PI) * sine + (u + u);
  return u * u + (C(10) - C(10) * cosine);
}
