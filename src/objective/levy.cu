/* In v = w - 1 = (u - 1)/4. */
DEVICE REAL term(int j, REAL u, REAL *slope) {
  REAL sine, cosine;
  const REAL v = C(0.25) * u - C(0.25);
  const int last = j == D - 1;
  SIN_COS_PI(last ? v + v : v + C(1 / PI), &sine, &cosine);
  const REAL height = last ? C(1) : C(10);
  const REAL wave = height * (sine * sine) + C(1);
  REAL value = v * v * wave;
  REAL derivative = v * (wave + wave + (last ? C(4 * PI) : C(20 * PI)) * v * (sine * cosine));
  if (j == 0) {
    SIN_COS_PI(v, &sine, &cosine);
    value += sine * sine;
    derivative += C(2 * PI) * sine * cosine;
  }
  *slope = C(0.25) * derivative;
  return value;
}
