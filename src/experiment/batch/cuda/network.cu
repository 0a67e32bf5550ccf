/* A perceptron over N embeddings: forward and backward.
 *
 * The host gives, for the layers 0 to LAYERS - 1: their inputs, width(layer), with width(LAYERS) = D; the place of their weights (inputs x
 * outputs) among the parameters, with the biases (outputs) after them, weights_of(layer), with the embeddings at 0; and the rows and the
 * columns of the tiles of the three products of a layer, at most MOST_SIDE. */

/* The activations of the hidden layers, each in a slot of SLOT scalars, and one more slot for what flows back; where the derivatives do
 * not follow from the activations they come after them. */
#define SLOT (N * WIDEST)
#if defined(ACTIVATION_GELU) || defined(ACTIVATION_SINE)
#define KEEPS_SLOPES
#define FLOW (LAYERS > 1 ? (2 * LAYERS - 1) * SLOT : 0)
#else
#define FLOW (LAYERS > 1 ? LAYERS * SLOT : 0)
#endif

#ifdef UNROLLED
#define FOR_LAYERS UNROLL
#else
#define FOR_LAYERS
#endif

/* The elements of a matrix, `row` and `column` apart: transposing one exchanges the two. */
typedef struct {
  const REAL *data;
  int row, column;
} Matrix;

DEVICE Matrix matrix(const REAL *data, int row, int column) {
  Matrix of = {data, row, column};
  return of;
}

/* The sizes of a product: rows x columns from `terms` each, by tiles of tile_rows x tile_columns, which one thread takes each: a number that
 * it fetches is used for a whole side. */
typedef struct {
  int rows, columns, terms, tile_rows, tile_columns;
} Product;

DEVICE int tiles(Product of) {
  return (of.rows + of.tile_rows - 1) / of.tile_rows * ((of.columns + of.tile_columns - 1) / of.tile_columns);
}

DEVICE REAL activate(REAL sum, REAL *slope) {
#if defined(ACTIVATION_RELU)
  /* Not max: NaN must stay NaN, since it marks a diverged run. */
  return sum < 0 ? C(0) : sum;
#elif defined(ACTIVATION_LEAKY_RELU)
  return sum < 0 ? C(LEAK) * sum : sum;
#elif defined(ACTIVATION_TANH)
  return TANH(sum);
#elif defined(ACTIVATION_GELU)
  const REAL square = sum * sum;
  const REAL value = TANH((square * C(GELU_CUBE) + 1) * sum * C(GELU_FACTOR));
  const REAL inner = (square * C(3 * GELU_CUBE) + 1) * C(GELU_FACTOR), above = (value + 1) * C(0.5);
  *slope = sum * C(0.5) * (1 - value * value) * inner + above;
  return sum * above;
#elif defined(ACTIVATION_SINE)
  REAL sine, cosine;
  SIN_COS(sum, &sine, &cosine);
  *slope = cosine;
  return sine;
#else
  return sum;
#endif
}

/* `gradient` in an activation, times the derivative in its sum: by the activation itself or by the derivative that was kept. */
DEVICE REAL through(REAL gradient, REAL activation, const REAL *slope) {
#if defined(ACTIVATION_RELU)
  return activation > 0 ? gradient : C(0);
#elif defined(ACTIVATION_LEAKY_RELU)
  return activation < 0 ? C(LEAK) * gradient : gradient;
#elif defined(ACTIVATION_TANH)
  return gradient * (1 - activation * activation);
#elif defined(KEEPS_SLOPES)
  return gradient * *slope;
#else
  return gradient;
#endif
}

/* What becomes of an element of a product. */
typedef enum { HIDDEN, OUTPUT, BELOW, PLAIN } Finish;

/* The place of the derivatives that belong to the activations at `place` of the flow. */
#define SLOPES_OF(place) ((place) + LAYERS * SLOT)

/* One tile of a product, from left (rows x terms) times right (terms x columns) into `result` (rows x columns, packed). `other` is the bias
 * of HIDDEN and OUTPUT, `base` what is added to an output, and `other` the activations of BELOW. */
DEVICE void multiply(int tile, Product of, Matrix left, Matrix right, Finish finish, const REAL *other, const REAL *base,
                     REAL gain, REAL *result) {
  const int across = (of.columns + of.tile_columns - 1) / of.tile_columns;
  const int top = tile / across * of.tile_rows, start = tile % across * of.tile_columns;
  REAL sums[MOST_SIDE][MOST_SIDE];
  const REAL *a[MOST_SIDE], *b[MOST_SIDE];
  UNROLL for (int r = 0; r < of.tile_rows; r++) {
    a[r] = left.data + (top + r < of.rows ? top + r : of.rows - 1) * left.row;
    UNROLL for (int c = 0; c < of.tile_columns; c++) sums[r][c] = 0;
  }
  UNROLL for (int c = 0; c < of.tile_columns; c++)
    b[c] = right.data + (start + c < of.columns ? start + c : of.columns - 1) * right.column;
  for (int term = 0; term < of.terms; term++) {
    REAL row[MOST_SIDE];
    UNROLL for (int r = 0; r < of.tile_rows; r++) row[r] = a[r][term * left.column];
    UNROLL for (int c = 0; c < of.tile_columns; c++) {
      const REAL factor = b[c][term * right.row];
      UNROLL for (int r = 0; r < of.tile_rows; r++) sums[r][c] += row[r] * factor;
    }
  }
  UNROLL for (int r = 0; r < of.tile_rows; r++)
    UNROLL for (int c = 0; c < of.tile_columns; c++) {
      const int column = start + c, at = (top + r) * of.columns + column;
      if (top + r >= of.rows || column >= of.columns)
        continue;
      REAL sum = sums[r][c];
      if (finish == HIDDEN || finish == OUTPUT)
        sum += other[column];
      if (finish == HIDDEN)
        sum = activate(sum, SLOPES_OF(result) + at);
#ifdef RESIDUAL
      if (finish == OUTPUT)
        sum += base[at];
#endif
      if (finish == OUTPUT)
        sum = squash(sum, gain);
      if (finish == BELOW)
        sum = through(sum, other[at], SLOPES_OF(other) + at);
      result[at] = sum;
    }
}

/* x = squash(net(z)) (N x D); `parameters` begin with z (N x K), and `flow` takes the activations of the hidden layers. */
DEVICE void embed(const REAL *parameters, REAL *flow, const REAL *base, REAL gain, REAL *x) {
  FOR_LAYERS for (int layer = 0; layer < LAYERS; layer++) {
    const int inputs = width(layer), outputs = width(layer + 1), last = layer == LAYERS - 1;
    const REAL *input = layer == 0 ? parameters : flow + (layer - 1) * SLOT, *weight = parameters + weights_of(layer);
    const REAL *bias = weight + inputs * outputs;
    const Product of = {N, outputs, inputs, forward_rows(layer), forward_columns(layer)};
    const Matrix left = matrix(input, inputs, 1), right = matrix(weight, outputs, 1);
    if (last)
      FOR_EACH(tile, tiles(of)) multiply(tile, of, left, right, OUTPUT, bias, base, gain, x);
    else
      FOR_EACH(tile, tiles(of)) multiply(tile, of, left, right, HIDDEN, bias, base, gain, flow + layer * SLOT);
    SYNC();
  }
}

/* The work of a phase that begins here begins at a warp of its own. */
#define NEXT_WARP(items) (((items) + WARP - 1) / WARP * WARP)

/* From the gradient in y (N x D), `slopes`, that in the parameters, into `gradient`. */
DEVICE void backward(const REAL *parameters, REAL *flow, const REAL *slopes, REAL *gradient) {
  FOR_LAYERS for (int layer = LAYERS - 1; layer >= 0; layer--) {
    const int inputs = width(layer), outputs = width(layer + 1), place = weights_of(layer);
    const REAL *input = layer == 0 ? parameters : flow + (layer - 1) * SLOT, *weight = parameters + place;
    /* The gradient in the input goes where the activation after it was, which no phase after this one reads. */
    REAL *below = layer == 0 ? gradient : flow + layer * SLOT;
    const Product to_input = {N, inputs, outputs, below_rows(layer), below_columns(layer)};
    const Product to_weight = {inputs, outputs, N, weight_rows(layer), weight_columns(layer)};
#ifdef FROZEN
    const int first = layer == 0 ? 0 : NEXT_WARP(tiles(to_input));
#else
    const int first = NEXT_WARP(tiles(to_input));
#endif
    const int second = first + NEXT_WARP(tiles(to_weight));
    FOR_EACH(item, second + outputs) {
      if (item < first) {
        if (item < tiles(to_input))
          multiply(item, to_input, matrix(slopes, outputs, 1), matrix(weight, 1, outputs), layer == 0 ? PLAIN : BELOW, input,
                   0, 0, below);
      } else if (item < second) {
        if (item - first < tiles(to_weight))
          multiply(item - first, to_weight, matrix(input, 1, inputs), matrix(slopes, outputs, 1), PLAIN, 0, 0, 0,
                   gradient + place);
      } else {
        REAL sum = 0;
        for (int row = 0; row < N; row++)
          sum += slopes[row * outputs + item - second];
        gradient[place + inputs * outputs + item - second] = sum;
      }
    }
    SYNC();
    slopes = below;
  }
}
