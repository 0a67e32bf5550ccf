//! The perceptron's arithmetic: products of small matrices over panels of points, with nothing allocated after the start.

use super::activation::{Activation, activate, multiply};
use crate::simd::matrix::{ByColumns, ByRows, Into, Onto, Target, Tile, held, places_mut, product, zeros};
use crate::simd::transpose::transpose;
use crate::simd::{Lanes, Panel, Panels, Real, Rows, Simd, WithSimd, dispatch};

/// One linear layer, and what flows through it.
#[derive(Clone)]
pub struct Layer<R: Real> {
    /// One row per output; one column per input, and one more for the bias.
    weight: Rows<R>,
    /// The change to be added to the weight.
    update: Rows<R>,
    /// The layer's output for a panel; in the backward pass, the gradient in it.
    output: Rows<R>,
    /// The derivatives of the activations, where these do not determine them; else empty.
    slopes: Rows<R>,
    /// The layer's input in the backward pass: one row per point, one column per input and a column of ones.
    transposed: Rows<R>,
    inputs: usize,
}

/// Embeddings and layers laid out for the products.
#[derive(Clone)]
pub(crate) struct Fused<R: Real> {
    embeddings: Panels<R>,
    layers: Vec<Layer<R>>,
    activation: Activation,
}

impl<R: Products> Fused<R> {
    /// A network without layers over row-major embeddings of `dimensions` coordinates, in panels of `stride` points, with this
    /// activation between its layers.
    pub(crate) fn new(embeddings: &[R], dimensions: usize, activation: Activation, stride: usize) -> Self {
        let embeddings = Panels::with_stride(embeddings, dimensions, stride);
        Self { embeddings, layers: Vec::new(), activation }
    }

    /// Appends a layer; `weight` is row-major with `inputs` columns, as dfdx keeps it.
    pub(crate) fn push(&mut self, weight: &[R], bias: &[R], inputs: usize) {
        let (outputs, stride) = (bias.len(), self.embeddings.width());
        let mut layer = Layer {
            weight: Rows::zeros(outputs, inputs + 1),
            update: Rows::zeros(outputs, inputs + 1),
            output: Rows::zeros(outputs, stride),
            slopes: Rows::zeros(if self.activation.keeps_slopes() { outputs } else { 0 }, stride),
            transposed: Rows::zeros(stride, inputs + 1),
            inputs,
        };
        for ((row, weight), &bias) in layer.weight.rows_mut().zip(weight.chunks_exact(inputs)).zip(bias) {
            row[..inputs].copy_from_slice(weight);
            row[inputs] = bias;
        }
        layer.transposed.rows_mut().for_each(|row| row[inputs] = R::of(1.0));
        self.layers.push(layer);
    }

    /// The number of embeddings.
    pub(crate) fn points(&self) -> usize {
        self.embeddings.points()
    }

    /// y = net(z).
    pub(crate) fn forward(&mut self) -> Panels<R> {
        let outputs = self.layers.last().map_or(0, |layer| layer.weight.rows().len());
        let mut y = self.embeddings.like(outputs);
        for (z, y) in self.embeddings.iter_mut().zip(y.iter_mut()) {
            y.rows.copy_from_slice(forward(&z, &mut self.layers, self.activation));
        }
        y
    }

    /// Moves every parameter. `objective` turns each panel of y into minus a step against the gradient in it.
    ///
    /// The backward pass is linear in the gradient in y. Where that comes multiplied by minus the step size, what flows
    /// back are the updates themselves.
    pub(crate) fn update(&mut self, mut objective: impl FnMut(Panel<'_, R>)) {
        let Self { embeddings, layers, activation } = self;
        let total = embeddings.points();
        for mut z in embeddings.iter_mut() {
            let Panel { first, points, stride, .. } = z;
            objective(Panel { rows: forward(&z, layers, *activation), first, points, stride });
            R::backward(&mut z, layers, *activation, Some(total));
        }
    }

    /// One forward and one backward pass that move no parameter. The gradient in the embeddings goes to `gradient`, which has their
    /// layout; that in the weights stays in the layers, for [`Fused::layers`]. `objective` gets y, plus `base` if there is one, panel by
    /// panel, and replaces it by the gradient in y.
    pub(crate) fn pass(
        &mut self,
        gradient: &mut Panels<R>,
        mut base: Option<&mut Panels<R>>,
        objective: &mut dyn FnMut(Panel<'_, R>),
    ) {
        let Self { embeddings, layers, activation } = self;
        let mut bases = base.iter_mut().flat_map(|base| base.iter_mut());
        for (z, mut gradient) in embeddings.iter_mut().zip(gradient.iter_mut()) {
            let Panel { first, points, stride, .. } = z;
            gradient.rows.copy_from_slice(z.rows);
            let y = forward(&z, layers, *activation);
            if let Some(base) = bases.next() {
                y.iter_mut().zip(base.rows).for_each(|(y, base)| *y += *base);
            }
            objective(Panel { rows: y, first, points, stride });
            R::backward(&mut gradient, layers, *activation, None);
            gradient.fill(|_| R::ZERO);
        }
    }

    /// Calls `visit` with the values and the gradient of every layer, as [`Fused::pass`] left it; padding is zero in both.
    pub(crate) fn layers(&mut self, visit: &mut dyn FnMut(&mut [R], &[R])) {
        for Layer { weight, update, .. } in &mut self.layers {
            visit(weight, update);
        }
    }

    /// The embeddings, which change where they are trained.
    pub(crate) fn embeddings(&mut self) -> &mut Panels<R> {
        &mut self.embeddings
    }

    /// Sets weights and biases of the output layer to zero.
    pub(crate) fn silence(&mut self) {
        if let Some(layer) = self.layers.last_mut() {
            layer.weight.fill(R::ZERO);
        }
    }

    /// Every parameter, row-major: the embeddings, then weight and bias of every layer, the output layer last.
    pub(crate) fn packed(&self) -> Vec<R> {
        let mut packed = self.embeddings.packed();
        for Layer { weight, inputs, .. } in &self.layers {
            packed.extend(weight.rows().flat_map(|row| &row[..*inputs]));
            packed.extend(weight.rows().map(|row| row[*inputs]));
        }
        packed
    }

    /// Every parameter, each a slice with its padding.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &[R]> {
        std::iter::once(self.embeddings.scalars()).chain(self.layers.iter().map(|layer| &*layer.weight))
    }
}

/// The arithmetic, compiled once for each scalar and not again in every crate that uses this one.
pub trait Products: Real {
    #[doc(hidden)]
    fn forward(z: &Panel<'_, Self>, layers: &mut [Layer<Self>], activation: Activation);
    #[doc(hidden)]
    fn backward(z: &mut Panel<'_, Self>, layers: &mut [Layer<Self>], activation: Activation, moves: Option<usize>);
}

macro_rules! products {
    ($($real:ident),+) => {$(
        impl Products for $real {
            fn forward(z: &Panel<'_, Self>, layers: &mut [Layer<Self>], activation: Activation) {
                dispatch(Forward { z, layers, activation });
            }

            fn backward(
                z: &mut Panel<'_, Self>,
                layers: &mut [Layer<Self>],
                activation: Activation,
                moves: Option<usize>,
            ) {
                dispatch(Backward { z, layers, activation, moves });
            }
        }
    )+};
}

products!(f32, f64);

/// The rows of y that the network makes of a panel of embeddings.
fn forward<'a, R: Products>(z: &Panel<'_, R>, layers: &'a mut [Layer<R>], activation: Activation) -> &'a mut [R] {
    R::forward(z, layers, activation);
    &mut layers.last_mut().expect("a perceptron has an output layer").output
}

struct Forward<'a, 'z, R: Real> {
    z: &'a Panel<'z, R>,
    layers: &'a mut [Layer<R>],
    activation: Activation,
}

impl<R: Real> WithSimd for Forward<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { z: &Panel { rows: ref z, points, stride, .. }, layers, activation } = self;
        let last = layers.len() - 1;
        for index in 0..layers.len() {
            let (before, rest) = layers.split_at_mut(index);
            let input = before.last().map_or(&**z, |layer| &layer.output);
            let Layer { weight, output, slopes, inputs, .. } = &mut rest[0];
            let left = ByRows { data: weight, stride: weight.stride() };
            let onto = Onto::Splat { data: &weight[*inputs..], stride: weight.stride() };
            let (rows, into) = (weight.rows().len(), Into { onto, result: output, stride });
            if index < last && activation == Activation::Relu {
                product(simd, left, rows, input, stride, points, Rectified(into));
            } else {
                product(simd, left, rows, input, stride, points, into);
                if index < last {
                    activate(simd, activation, output, slopes);
                }
            }
        }
    }
}

/// Activations: what is below zero becomes zero.
struct Rectified<'a, R>(Into<'a, R>);

impl<R: Real> Target<R> for Rectified<'_, R> {
    #[inline(always)]
    fn start<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        first: usize,
        column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        self.0.start(simd, first, column)
    }

    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        mut tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        for sum in tile.as_flattened_mut() {
            // Not a maximum: NaN must stay NaN, since it marks a diverged run.
            *sum = sum.less_than(0.0, 0.0, *sum);
        }
        self.0.finish(first, column, tile);
    }
}

/// The backward pass of one panel, with the gradient in y in place of y. It adds to the updates of the layers, which the first panel
/// sets, and replaces the embeddings by the gradient in them.
struct Backward<'a, 'z, R: Real> {
    z: &'a mut Panel<'z, R>,
    layers: &'a mut [Layer<R>],
    activation: Activation,
    /// The number of all points, if gradients are added to the parameters instead: to these embeddings at once, to the weights with
    /// the last panel.
    moves: Option<usize>,
}

impl<R: Real> WithSimd for Backward<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { z: Panel { rows: z, first, points, stride }, layers, activation, moves } = self;
        let (first, points, stride) = (*first, *points, *stride);
        for index in (0..layers.len()).rev() {
            let (before, rest) = layers.split_at_mut(index);
            let Layer { weight, update, output, transposed, inputs, .. } = &mut rest[0];
            let columns = weight.stride();
            let none: &mut [R] = &mut [];
            let (input, slopes) = match before.last_mut() {
                Some(layer) => (&mut *layer.output, &*layer.slopes),
                None => (&mut **z, &*none),
            };
            transpose(simd, input, stride, points, transposed, columns);
            // The gradient in the input (I × n) = weightᵀ (I × O) · output (O × n)
            let left = ByColumns { data: weight, stride: columns };
            if index > 0 && activation == Activation::Relu {
                product(simd, left, *inputs, output, stride, points, Gated { activations: input, stride });
            } else if index == 0 && moves.is_some() {
                product(simd, left, *inputs, output, stride, points, Added { sums: None, to: input, stride });
            } else {
                product(simd, left, *inputs, output, stride, points, Into { onto: Onto::Zero, result: input, stride });
                if index > 0 {
                    multiply(simd, input, slopes);
                }
            }
            // update (O × I + 1) += output (O × n) · transposed (n × I + 1)
            let (left, rows) = (ByRows { data: output, stride }, weight.rows().len());
            let transposed = &transposed[..points * columns];
            if moves == Some(first + points) {
                let sums = (first > 0).then_some(&**update);
                let added = Added { sums, to: weight, stride: columns };
                product(simd, left, rows, transposed, columns, *inputs + 1, added);
            } else {
                let onto = if first == 0 { Onto::Zero } else { Onto::Result };
                let into = Into { onto, result: update, stride: columns };
                product(simd, left, rows, transposed, columns, *inputs + 1, into);
            }
        }
    }
}

/// A product that is added to `to`; with `sums`, first to the sums of the panels before.
struct Added<'a, R> {
    sums: Option<&'a [R]>,
    to: &'a mut [R],
    stride: usize,
}

impl<R: Real> Target<R> for Added<'_, R> {
    #[inline(always)]
    fn start<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        first: usize,
        column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        match self.sums {
            Some(sums) => held(simd, sums, self.stride, first, column),
            None => zeros(simd),
        }
    }

    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        for (sums, places) in tile.into_iter().zip(places_mut::<S, R, COLUMNS>(self.to, self.stride, first, column)) {
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = (Lanes::new(sum.simd(), *place) + sum).register();
            }
        }
    }
}

/// A product that replaces activations: the gradient where they are above zero, else zero.
struct Gated<'a, R> {
    activations: &'a mut [R],
    stride: usize,
}

impl<R: Real> Target<R> for Gated<'_, R> {
    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        let places = places_mut::<S, R, COLUMNS>(self.activations, self.stride, first, column);
        for (sums, places) in tile.into_iter().zip(places) {
            for (place, sum) in places.iter_mut().zip(sums) {
                let activation = Lanes::new(sum.simd(), *place);
                *place = Lanes::splat(sum.simd(), R::ZERO).less_than(activation, sum, 0.0).register();
            }
        }
    }
}
