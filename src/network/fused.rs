//! The perceptron's arithmetic: products of small matrices over panels of points, with nothing allocated after the start.

use super::activation::{Activation, activate, multiply};
use crate::simd::cache::prefetch_block;
use crate::simd::matrix::{
    ByColumns, ByRows, Into, Left, Onto, Split, Streamed, Target, Tile, held, places_mut, shared, streamed, zeros,
};
use crate::simd::transpose::transpose;
use crate::simd::{Lanes, Panel, Panels, Real, Rows, Simd, WithSimd, dispatch};
use crate::team;
use std::ops::Range;

/// One linear layer.
#[derive(Clone)]
pub struct Layer<R: Real> {
    /// One row per output; one column per input, and one more for the bias.
    weight: Rows<R>,
    inputs: usize,
}

/// The intermediate results of a layer while panels pass it one after the other.
#[derive(Clone)]
pub struct Flow<R: Real> {
    /// The change to be added to the weight.
    update: Rows<R>,
    /// The layer's output for a panel; in the backward pass, the gradient in it.
    output: Rows<R>,
    /// The derivatives of the activations, where these do not determine them; else empty.
    slopes: Rows<R>,
    /// Sums of the gradient in the input while rows of a large weight are gone through, some at a time; else empty.
    sums: Rows<R>,
    /// The layer's input in the backward pass: one row per point, one column per input and a column of ones.
    transposed: Rows<R>,
}

/// Embeddings and layers laid out for the products.
#[derive(Clone)]
pub(crate) struct Fused<R: Real> {
    embeddings: Panels<R>,
    layers: Vec<Layer<R>>,
    /// The intermediate results of the layers for the first part of the panels.
    flows: Vec<Flow<R>>,
    /// The same for the other parts, which other threads may work on.
    others: Vec<Vec<Flow<R>>>,
    activation: Activation,
}

/// The fewest panels per part.
const PANELS_PER_PART: usize = 4;

/// The most parts.
const MOST_PARTS: usize = 64;

/// Bytes of a weight from which on its columns are not read from the first row to the last: every row is on pages of its own, more of
/// them than the processor keeps addresses of.
const LARGE: usize = 8 << 20;

/// Rows of a large weight that are summed over at a time where it comes from a cache.
const BAND: usize = 64;

/// Columns or rows of a [`streamed`] weight that are summed over at a time.
const STREAMED_BAND: usize = 96;

/// Scalars of a weight that one thread adds updates to at once.
const PIECE: usize = 4096;

/// The number of parts of so many panels, and of the panels in each but the last, for `weights` scalars of weights and `held` of points.
/// Neither depends on the number of threads. The updates of all parts take no more memory than the points.
pub(crate) fn parts(panels: usize, weights: usize, held: usize) -> (usize, usize) {
    let parts = (panels / PANELS_PER_PART).min(held / weights.max(1)).clamp(1, MOST_PARTS);
    let per_part = panels.div_ceil(parts);
    (panels.div_ceil(per_part.max(1)).max(1), per_part)
}

/// True if the columns of `weight` are read in bands of rows.
fn large<R: Real>(weight: &[R]) -> bool {
    size_of_val(weight) >= LARGE
}

impl<R: Real> Layer<R> {
    /// The layer of these numbers; `weight` is row-major with `inputs` columns, as dfdx keeps it.
    pub(crate) fn new(weight: &[R], bias: &[R], inputs: usize) -> Self {
        let mut layer = Self { weight: Rows::zeros(bias.len(), inputs + 1), inputs };
        for ((row, weight), &bias) in layer.weight.rows_mut().zip(weight.chunks_exact(inputs)).zip(bias) {
            row[..inputs].copy_from_slice(weight);
            row[inputs] = bias;
        }
        layer
    }
}

impl<R: Products> Fused<R> {
    /// A network without layers over row-major embeddings of `dimensions` coordinates, in panels of `stride` points, with this
    /// activation between its layers.
    pub(crate) fn new(embeddings: &[R], dimensions: usize, activation: Activation, stride: usize) -> Self {
        let embeddings = Panels::with_stride(embeddings, dimensions, stride);
        Self { embeddings, layers: Vec::new(), flows: Vec::new(), others: Vec::new(), activation }
    }

    /// Appends a layer.
    pub(crate) fn push(&mut self, layer: Layer<R>) {
        let (inputs, outputs, stride) = (layer.inputs, layer.weight.rows().len(), self.embeddings.width());
        let mut flow = Flow {
            update: Rows::zeros(outputs, inputs + 1),
            output: Rows::zeros(outputs, stride),
            slopes: Rows::zeros(if self.activation.keeps_slopes() { outputs } else { 0 }, stride),
            sums: Rows::zeros(if large(&layer.weight) { inputs } else { 0 }, stride),
            transposed: Rows::zeros(stride, inputs + 1),
        };
        flow.transposed.rows_mut().for_each(|row| row[inputs] = R::of(1.0));
        self.layers.push(layer);
        self.flows.push(flow);
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
            y.rows.copy_from_slice(forward(&z, &self.layers, &mut self.flows, self.activation));
        }
        y
    }

    /// Cuts the panels into parts that several threads can work on in [`Fused::update_in_parts`]. Gives the number of parts and of the points in
    /// each but the last.
    pub(crate) fn divide(&mut self) -> (usize, usize) {
        let (points, stride) = (self.embeddings.points(), self.embeddings.width());
        let panels = points.div_ceil(stride);
        let weights: usize = self.layers.iter().map(|layer| layer.weight.len()).sum();
        let outputs = self.flows.last().map_or(0, |flow| flow.output.len() / stride);
        let held = self.embeddings.scalars().len() + points * outputs;
        let (parts, per_part) = parts(panels, weights, held);
        // `vec![…; 0]` would make one as well, and drop it.
        self.others = (1..parts).map(|_| self.flows.clone()).collect();
        (parts, per_part * stride)
    }

    /// Moves every parameter. `objective` turns each panel of y into minus a step against the gradient in it.
    ///
    /// The backward pass is linear in the gradient in y. Where that comes multiplied by minus the step size, what flows
    /// back are the updates themselves.
    pub(crate) fn update(&mut self, mut objective: impl FnMut(Panel<'_, R>)) {
        let Self { embeddings, layers, flows, activation, .. } = self;
        let (activation, total) = (*activation, embeddings.points());
        for mut z in embeddings.iter_mut() {
            let Panel { first, points, stride, .. } = z;
            objective(Panel { rows: forward(&z, layers, flows, activation), first, points, stride });
            let weights = if first + points == total { Weights::Moved(layers) } else { Weights::Kept(layers) };
            R::backward(Backward { z: &mut z, weights, flows, activation, begins: first == 0, moves: true });
        }
    }

    /// The same in the parts of [`Fused::divide`], with one of `objectives` for each: weights move by the sum over the parts.
    pub(crate) fn update_in_parts<F: FnMut(Panel<'_, R>) + Send>(&mut self, objectives: impl Iterator<Item = F>) {
        let Self { embeddings, layers, flows, others, activation } = self;
        let activation = *activation;
        let per_part = embeddings.points().div_ceil(embeddings.width()).div_ceil(others.len() + 1);
        let kept = &*layers;
        let parts = std::iter::once(&mut *flows).chain(&mut *others);
        team::each(parts.zip(objectives).zip(embeddings.groups_mut(per_part)), |((flows, mut objective), panels)| {
            for (number, mut z) in panels.enumerate() {
                let Panel { first, points, stride, .. } = z;
                objective(Panel { rows: forward(&z, kept, flows, activation), first, points, stride });
                let weights = Weights::Kept(kept);
                R::backward(Backward { z: &mut z, weights, flows, activation, begins: number == 0, moves: true });
            }
        });
        for (index, (layer, flow)) in layers.iter_mut().zip(flows).enumerate() {
            let pieces = layer.weight.chunks_mut(PIECE).zip(flow.update.chunks_mut(PIECE)).enumerate();
            team::each(pieces, |(piece, (weight, sums))| {
                for other in others.iter() {
                    let update = &other[index].update[piece * PIECE..];
                    sums.iter_mut().zip(update).for_each(|(sum, update)| *sum += *update);
                }
                weight.iter_mut().zip(sums).for_each(|(weight, sum)| *weight += *sum);
            });
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
        let Self { embeddings, layers, flows, activation, .. } = self;
        let activation = *activation;
        let mut bases = base.iter_mut().flat_map(|base| base.iter_mut());
        for (z, mut gradient) in embeddings.iter_mut().zip(gradient.iter_mut()) {
            let Panel { first, points, stride, .. } = z;
            gradient.rows.copy_from_slice(z.rows);
            let y = forward(&z, layers, flows, activation);
            if let Some(base) = bases.next() {
                y.iter_mut().zip(base.rows).for_each(|(y, base)| *y += *base);
            }
            objective(Panel { rows: y, first, points, stride });
            let weights = Weights::Kept(layers);
            R::backward(Backward { z: &mut gradient, weights, flows, activation, begins: first == 0, moves: false });
            gradient.fill(|_| R::ZERO);
        }
    }

    /// Calls `visit` with the values and the gradient of every layer, as [`Fused::pass`] left it; padding is zero in both.
    pub(crate) fn layers(&mut self, visit: &mut dyn FnMut(&mut [R], &[R])) {
        for (layer, flow) in self.layers.iter_mut().zip(&self.flows) {
            visit(&mut layer.weight, &flow.update);
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

    /// A copy that is not divided into parts.
    pub(crate) fn undivided(&self) -> Self {
        let Self { embeddings, layers, flows, activation, .. } = self;
        let (embeddings, layers, flows) = (embeddings.clone(), layers.clone(), flows.clone());
        Self { embeddings, layers, flows, others: Vec::new(), activation: *activation }
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
    fn forward(z: &Panel<'_, Self>, layers: &[Layer<Self>], flows: &mut [Flow<Self>], activation: Activation);
    #[doc(hidden)]
    fn backward(backward: Backward<'_, '_, Self>);
}

macro_rules! products {
    ($($real:ident),+) => {$(
        impl Products for $real {
            fn forward(z: &Panel<'_, Self>, layers: &[Layer<Self>], flows: &mut [Flow<Self>], activation: Activation) {
                dispatch(Forward { z, layers, flows, activation });
            }

            fn backward(backward: Backward<'_, '_, Self>) {
                dispatch(backward);
            }
        }
    )+};
}

products!(f32, f64);

/// The rows of y that the network makes of a panel of embeddings.
fn forward<'a, R: Products>(
    z: &Panel<'_, R>,
    layers: &[Layer<R>],
    flows: &'a mut [Flow<R>],
    activation: Activation,
) -> &'a mut [R] {
    R::forward(z, layers, flows, activation);
    &mut flows.last_mut().expect("a perceptron has an output layer").output
}

struct Forward<'a, 'z, R: Real> {
    z: &'a Panel<'z, R>,
    layers: &'a [Layer<R>],
    flows: &'a mut [Flow<R>],
    activation: Activation,
}

impl<R: Real> WithSimd for Forward<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { z: &Panel { rows: ref z, points, stride, .. }, layers, flows, activation } = self;
        let last = layers.len() - 1;
        for (index, Layer { weight, inputs }) in layers.iter().enumerate() {
            let (before, rest) = flows.split_at_mut(index);
            let input = before.last().map_or(&**z, |flow| &flow.output);
            let Flow { output, slopes, .. } = &mut rest[0];
            let left = ByRows { data: weight, stride: weight.stride() };
            let onto = Onto::Splat { data: &weight[*inputs..], stride: weight.stride() };
            let rectified = index < last && activation == Activation::Relu;
            if streamed::<R>(weight.len()) {
                in_bands(simd, weight, input, output, (onto, stride, points), rectified);
            } else {
                let (rows, into) = (weight.rows().len(), Into { onto, result: output, stride });
                if rectified {
                    shared(simd, left, rows, input, stride, points, Rectified(into));
                } else {
                    shared(simd, left, rows, input, stride, points, into);
                }
            }
            if index < last && !rectified {
                activate(simd, activation, output, slopes);
            }
        }
    }
}

/// The product of a weight that is [`streamed`] and the layer's input, added to `onto`, a band of columns at a time.
#[inline(never)]
fn in_bands<S: Simd, R: Real>(
    simd: S,
    weight: &Rows<R>,
    input: &[R],
    output: &mut [R],
    (mut onto, stride, points): (Onto<'_, R>, usize, usize),
    rectified: bool,
) {
    let rows = weight.rows().len();
    let mut bands = input.chunks(STREAMED_BAND * stride).enumerate().peekable();
    while let Some((number, input)) = bands.next() {
        let left = Streamed(ByRows { data: &weight[number * STREAMED_BAND..], stride: weight.stride() });
        let into = Into { onto, result: &mut *output, stride };
        if rectified && bands.peek().is_none() {
            shared(simd, left, rows, input, stride, points, Rectified(into));
        } else {
            shared(simd, left, rows, input, stride, points, into);
        }
        onto = Onto::Result;
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

impl<R: Real> Split for Rectified<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        let (upper, lower) = self.0.split(rows);
        (Self(upper), Self(lower))
    }
}

/// The backward pass of one panel, with the gradient in y in place of y. It adds to the updates of the flows, which the first panel
/// of a part sets, and replaces the embeddings by the gradient in them.
pub struct Backward<'a, 'z, R: Real> {
    z: &'a mut Panel<'z, R>,
    weights: Weights<'a, R>,
    flows: &'a mut [Flow<R>],
    activation: Activation,
    /// True for the first panel of a part.
    begins: bool,
    /// True if gradients in the embeddings are added to them instead.
    moves: bool,
}

/// The layers of a backward pass.
enum Weights<'a, R: Real> {
    /// The updates are kept for later.
    Kept(&'a [Layer<R>]),
    /// The updates, with those of this panel, are added.
    Moved(&'a mut [Layer<R>]),
}

impl<R: Real> WithSimd for Backward<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { z: Panel { rows: z, points, stride, .. }, mut weights, flows, activation, begins, moves } = self;
        let (points, stride) = (*points, *stride);
        for index in (0..flows.len()).rev() {
            let (before, rest) = flows.split_at_mut(index);
            let Flow { update, output, sums, transposed, .. } = &mut rest[0];
            let Layer { weight, inputs } = match &weights {
                Weights::Kept(layers) => &layers[index],
                Weights::Moved(layers) => &layers[index],
            };
            let (columns, rows, inputs) = (weight.stride(), weight.rows().len(), *inputs);
            let streamed = streamed::<R>(rows * columns);
            let none: &mut [R] = &mut [];
            let (input, slopes) = match before.last_mut() {
                Some(flow) => (&mut *flow.output, &*flow.slopes),
                None => (&mut **z, &*none),
            };
            transpose(simd, input, stride, points, transposed, columns);
            // The gradient in the input (I × n) = weightᵀ (I × O) · output (O × n)
            let left = ByColumns { data: weight, stride: columns };
            if large(weight) {
                let band = if streamed { STREAMED_BAND } else { BAND };
                let bands = weight.chunks(band * columns).zip(output.chunks(band * stride));
                for (number, (weight, output)) in bands.enumerate() {
                    let left = ByColumns { data: weight, stride: columns };
                    let onto = if number == 0 { Onto::Zero } else { Onto::Result };
                    let into = Into { onto, result: sums, stride };
                    if streamed {
                        shared(simd, Streamed(left), inputs, output, stride, points, into);
                    } else {
                        shared(simd, left, inputs, output, stride, points, into);
                    }
                }
                let end = if index > 0 { Through::Layer(activation, slopes) } else { Through::Embeddings(moves) };
                simd.vectorize(Finish { sums, input, end });
            } else if index > 0 && activation == Activation::Relu {
                shared(simd, left, inputs, output, stride, points, Gated { activations: input, stride });
            } else if index == 0 && moves {
                shared(simd, left, inputs, output, stride, points, Added { sums: None, to: input, stride });
            } else {
                shared(simd, left, inputs, output, stride, points, Into { onto: Onto::Zero, result: input, stride });
                if index > 0 {
                    multiply(simd, input, slopes);
                }
            }
            // update (O × I + 1) += output (O × n) · transposed (n × I + 1)
            let left = ByRows { data: output, stride };
            let transposed = &transposed[..points * columns];
            let to = match &mut weights {
                Weights::Moved(layers) => Some(&mut layers[index].weight),
                Weights::Kept(_) => None,
            };
            if streamed {
                add_update(simd, Streamed(left), (rows, inputs + 1), transposed, update, to, begins);
            } else {
                add_update(simd, left, (rows, inputs + 1), transposed, update, to, begins);
            }
        }
    }
}

/// Adds `left` · `right`, of this many rows and columns, to a weight if there is one, together with the updates so far; else to the
/// updates. With `begins` there are none so far.
#[inline(always)]
fn add_update<S: Simd, R: Real, L: Left<R> + Split + Send>(
    simd: S,
    left: L,
    (rows, columns): (usize, usize),
    right: &[R],
    update: &mut Rows<R>,
    weight: Option<&mut Rows<R>>,
    begins: bool,
) {
    let stride = update.stride();
    if let Some(to) = weight {
        let added = Added { sums: (!begins).then_some(&**update), to, stride };
        shared(simd, left, rows, right, stride, columns, added);
    } else {
        let onto = if begins { Onto::Zero } else { Onto::Result };
        shared(simd, left, rows, right, stride, columns, Into { onto, result: update, stride });
    }
}

/// The end of the sums over bands of a large weight: the work of a product's target where there are no bands.
struct Finish<'a, R> {
    sums: &'a [R],
    input: &'a mut [R],
    end: Through<'a, R>,
}

/// The destination of a gradient.
enum Through<'a, R> {
    /// Through an activation, with the derivatives that it keeps.
    Layer(Activation, &'a [R]),
    /// To the embeddings; true if it is added to the gradient that is there.
    Embeddings(bool),
}

impl<R: Real> WithSimd for Finish<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let zero = Lanes::<S, R>::splat(simd, R::ZERO);
        let pairs = R::registers_mut::<S>(self.input).iter_mut().zip(R::registers::<S>(self.sums));
        let pairs = pairs.map(|(place, &sum)| (place, Lanes::<S, R>::new(simd, sum)));
        match self.end {
            Through::Layer(Activation::Relu, _) => {
                pairs.for_each(|(place, sum)| *place = zero.less_than(Lanes::new(simd, *place), sum, 0.0).register());
            }
            Through::Embeddings(true) => {
                pairs.for_each(|(place, sum)| *place = (Lanes::new(simd, *place) + sum).register());
            }
            Through::Embeddings(false) => pairs.for_each(|(place, sum)| *place = sum.register()),
            Through::Layer(_, slopes) => {
                pairs.for_each(|(place, sum)| *place = sum.register());
                multiply(simd, self.input, slopes);
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
    fn prefetch<const ROWS: usize>(&self, first: usize, columns: Range<usize>) {
        let rows = first..first + ROWS;
        if let Some(sums) = self.sums {
            prefetch_block(sums, self.stride, rows.clone(), columns.clone());
        }
        prefetch_block(self.to, self.stride, rows, columns);
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

impl<R: Real> Split for Added<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        let Self { sums, to, stride } = self;
        let (upper, lower) = to.split_at_mut(rows * stride);
        let sums = sums.map(|sums| sums.split_at(rows * stride));
        let part = |sums, to| Self { sums, to, stride };
        (part(sums.map(|sums| sums.0), upper), part(sums.map(|sums| sums.1), lower))
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

impl<R: Real> Split for Gated<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        let Self { activations, stride } = self;
        let (upper, lower) = activations.split_at_mut(rows * stride);
        (Self { activations: upper, stride }, Self { activations: lower, stride })
    }
}
