//! The perceptron's arithmetic: products of small matrices over padded rows, with nothing allocated after the start.

use crate::objective::{Map, squash_slope};
use crate::simd::matrix::{Left, Onto, product};
use crate::simd::{Real, Rows, Simd, WithSimd, dispatch};

/// One linear layer of `I` inputs and `O` outputs, and what flows through it.
#[derive(Clone)]
struct Layer<R: Real> {
    /// I rows of O columns: what the forward product and the update run over.
    weight: Rows<R>,
    /// O rows of I columns, the same numbers: what the backward product runs over.
    transposed: Rows<R>,
    /// One row of O columns.
    bias: Rows<R>,
    inputs: usize,
    outputs: usize,
    /// The layer's result, n rows of O columns; on the way back, the gradient in it.
    output: Rows<R>,
}

/// Embeddings and layers laid out for the products.
#[derive(Clone)]
pub(crate) struct Fused<R: Real> {
    embeddings: Rows<R>,
    /// The gradient in the input of the layer that is being walked back through; in the end that of the embeddings.
    slopes: Rows<R>,
    points: usize,
    dimensions: usize,
    layers: Vec<Layer<R>>,
}

impl<R: Real> Fused<R> {
    /// A network without layers over `points` × `dimensions` embeddings.
    pub(crate) fn new(embeddings: &[R], points: usize, dimensions: usize) -> Self {
        let embeddings = Rows::from_packed(embeddings, dimensions);
        Self { slopes: embeddings.clone(), embeddings, points, dimensions, layers: Vec::new() }
    }

    /// Appends a layer; `weight` is row-major with `inputs` columns, as dfdx keeps it.
    pub(crate) fn push(&mut self, weight: &[R], bias: &[R], inputs: usize) {
        let outputs = bias.len();
        let mut layer = Layer {
            weight: Rows::zeros(inputs, outputs),
            transposed: Rows::from_packed(weight, inputs),
            bias: Rows::from_packed(bias, outputs),
            inputs,
            outputs,
            output: Rows::zeros(self.points, outputs),
        };
        transpose(&layer.transposed, &mut layer.weight, outputs, inputs);
        self.layers.push(layer);
        if inputs > self.slopes.stride() {
            self.slopes = Rows::zeros(self.points, inputs);
        }
    }

    /// y = net(z), n × d.
    pub(crate) fn forward(&mut self) -> &mut Rows<R> {
        dispatch(Forward(self));
        self.y()
    }

    /// Where [`Fused::forward`] left y.
    pub(crate) fn y(&mut self) -> &mut Rows<R> {
        &mut self.layers.last_mut().expect("a perceptron has an output layer").output
    }

    /// With y replaced by a step against the gradient in y, moves every parameter by the step that follows from it.
    ///
    /// The backward pass is linear in the gradient of y. Where that comes multiplied by minus the step size, what flows
    /// back are the updates themselves, so they are added on the way and no gradient is ever stored.
    pub(crate) fn update(&mut self) {
        dispatch(Backward(self));
        for (z, &slope) in self.embeddings.iter_mut().zip(&*self.slopes) {
            *z += slope;
        }
        for layer in &mut self.layers {
            transpose(&layer.weight, &mut layer.transposed, layer.inputs, layer.outputs);
        }
    }

    /// Replaces weights and biases by their gradients, from the gradient in x = map(y) of the last forward pass.
    pub(super) fn pull_back(&mut self, upstream: &[R], map: Map) {
        let columns = self.layers.last().map_or(0, |layer| layer.outputs);
        squash_slope(self.y(), upstream, columns, map);
        for layer in &mut self.layers {
            layer.weight.fill(R::ZERO);
            layer.bias.fill(R::ZERO);
        }
        dispatch(Backward(self));
        for layer in &mut self.layers {
            transpose(&layer.weight, &mut layer.transposed, layer.inputs, layer.outputs);
        }
    }

    /// The embeddings, row-major.
    pub(super) fn embeddings(&self) -> Vec<R> {
        self.embeddings.packed(self.dimensions)
    }

    /// The gradient in the embeddings, row-major.
    pub(super) fn embedding_slopes(&self) -> Vec<R> {
        let stride = self.embeddings.stride();
        self.slopes.chunks_exact(stride).take(self.points).flat_map(|row| &row[..self.dimensions]).copied().collect()
    }

    /// The weight of one layer, row-major, a row an output.
    pub(super) fn weight(&self, layer: usize) -> Vec<R> {
        self.layers[layer].transposed.packed(self.layers[layer].inputs)
    }

    /// The bias of one layer.
    pub(super) fn bias(&self, layer: usize) -> Vec<R> {
        self.layers[layer].bias.packed(self.layers[layer].outputs)
    }

    /// Every parameter, each a slice with its padding.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &[R]> {
        let layers = self.layers.iter().flat_map(|layer| [&*layer.weight, &*layer.bias]);
        std::iter::once(&*self.embeddings).chain(layers)
    }
}

struct Forward<'a, R: Real>(&'a mut Fused<R>);

impl<R: Real> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Fused { embeddings, layers, .. } = self.0;
        let last = layers.len() - 1;
        for index in 0..layers.len() {
            let (before, rest) = layers.split_at_mut(index);
            let input = before.last().map_or(&*embeddings, |layer| &layer.output);
            let Layer { weight, bias, inputs, output, .. } = &mut rest[0];
            let left = Left { data: input, row_stride: input.stride(), column_stride: 1 };
            let stride = output.stride();
            product::<S, R>(left, weight, Onto::Row(bias), output, stride, *inputs);
            if index < last {
                for activation in output.iter_mut() {
                    // Not `max`: NaN must stay NaN, for a diverged run is told by it.
                    *activation = if *activation < R::ZERO { R::ZERO } else { *activation };
                }
            }
        }
    }
}

/// Adds to weights and biases what follows from the gradient in y, and leaves the gradient in the embeddings.
struct Backward<'a, R: Real>(&'a mut Fused<R>);

impl<R: Real> WithSimd for Backward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Fused { embeddings, slopes, layers, .. } = self.0;
        for index in (0..layers.len()).rev() {
            let (before, rest) = layers.split_at_mut(index);
            let Layer { weight, transposed, bias, outputs, output, .. } = &mut rest[0];
            let input = before.last().map_or(&*embeddings, |layer| &layer.output);
            let stride = output.stride();
            let points = input.len() / input.stride();
            // weight (I × O) += inputᵀ (I × n) · output (n × O)
            let left = Left { data: input, row_stride: 1, column_stride: input.stride() };
            product::<S, R>(left, output, Onto::Result, weight, stride, points);
            for row in output.chunks_exact(stride) {
                for (bias, &slope) in bias.iter_mut().zip(row) {
                    *bias += slope;
                }
            }
            // The gradient in the input (n × I) = output (n × O) · weightᵀ (O × I), with the weight from before the update.
            let left = Left { data: output, row_stride: stride, column_stride: 1 };
            let slopes = &mut slopes[..points * transposed.stride()];
            product::<S, R>(left, transposed, Onto::Zero, slopes, transposed.stride(), *outputs);
            if let Some(layer) = before.last_mut() {
                for (activation, &slope) in layer.output.iter_mut().zip(&*slopes) {
                    *activation = if *activation > R::ZERO { slope } else { R::ZERO };
                }
            }
        }
    }
}

/// `into` (columns × rows) = `from` (rows × columns), both padded.
fn transpose<R: Real>(from: &Rows<R>, into: &mut Rows<R>, rows: usize, columns: usize) {
    let (from_stride, into_stride) = (from.stride(), into.stride());
    for (row, from) in from.chunks_exact(from_stride).take(rows).enumerate() {
        for (column, &value) in from[..columns].iter().enumerate() {
            into[column * into_stride + row] = value;
        }
    }
}
