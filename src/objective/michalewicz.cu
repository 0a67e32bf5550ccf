DEVICE REAL term(int j, REAL u, REAL *slope) {
  REAL sine, cosine, wave, wave_cosine;
  const REAL rate = C((j + 1) * (1 / (PI * PI)));
  SIN_COS(u, &sine, &cosine);
  SIN_COS_PI(rate * u * u, &wave, &wave_cosine);
  const REAL square = wave * wave, fourth = square * square, eighth = fourth * fourth;
  const REAL nineteenth = eighth * eighth * square * wave;
  *slope = -nineteenth * (cosine * wave + sine * (C(40 * PI) * rate * u * wave_cosine));
  return -sine * nineteenth * wave;
}
