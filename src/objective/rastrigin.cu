/* 1 - cos 2 pi u is 2 sin^2 pi u: nothing cancels. */
DEVICE REAL term(int j, REAL u, REAL *slope) {
  REAL sine, cosine;
  SIN_COS_PI(u, &sine, &cosine);
  *slope = C(40 * PI) * sine * cosine + (u + u);
  return u * u + C(20) * (sine * sine);
}
