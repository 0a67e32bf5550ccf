/* Above the minimum, which is at a: (u^2 - a^2)^2 / 2 + (a^2 - 8) (u - a)^2. */
DEVICE REAL term(int j, REAL u, REAL *slope) {
  const REAL place = C(-2.903534027771177), height = C(0.4305098504251146);
  const REAL apart = u * u - C(8.430509850425115), off = u - place;
  *slope = C(2) * (u * apart + height * off);
  return C(0.5) * (apart * apart) + height * (off * off);
}
