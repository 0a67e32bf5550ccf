//! The embedding perceptron: `N` trainable embeddings fed through a ReLU network, shaped at compile time.
//!
//! g(z) = Linear(H, D) ∘ [ReLU ∘ Linear(·, H)] × L applied to n trainable points z of K dimensions. The parameters are dfdx
//! tensors in dfdx modules. On the CPU descent is on fused
//! products; [`EmbeddingPerceptron::compose`] is the same as a chain of ordinary operations, for any device.

mod activation;
mod fused;

pub use activation::Activation;
pub(crate) use fused::{Fused, Layer, Products, parts};

use crate::objective::{Kernels, Taped};
use dfdx::nn::modules::Linear;
use dfdx::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use serde::{Deserialize, Serialize};

/// The distribution of weights and biases. Embeddings are always standard normals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// Normal with standard deviation 1/√fan_in.
    #[default]
    Gaussian,
    /// Uniform on ±1/√fan_in, as PyTorch's `Linear` draws them.
    PytorchUniform,
}

impl Initialization {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Gaussian, Self::PytorchUniform];

    /// `"gaussian"` or `"pytorch-uniform"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::PytorchUniform => "pytorch-uniform",
        }
    }
}

/// The parameters of the deep optimizer.
///
/// - `N`: embeddings, that is points optimized at once
/// - `K`: dimensions of an embedding
/// - `H`: neurons in a hidden layer
/// - `L`: hidden layers, at least one
/// - `D`: dimensions of the objective
#[derive(Clone, Debug)]
pub struct EmbeddingPerceptron<
    const N: usize,
    const K: usize,
    const H: usize,
    const L: usize,
    const D: usize,
    E: Dtype,
    Dev: Storage<E>,
> {
    /// The trainable inputs z, N×K.
    pub embeddings: Tensor<(Const<N>, Const<K>), E, Dev>,
    /// The first hidden layer.
    pub input: Linear<K, H, E, Dev>,
    /// The other L - 1 hidden layers.
    pub hidden: Vec<Linear<H, H, E, Dev>>,
    /// The layer without an activation that gives y, N×D.
    pub output: Linear<H, D, E, Dev>,
}

impl<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize, E: Kernels, Dev: Device<E>>
    TensorCollection<E, Dev> for EmbeddingPerceptron<N, K, H, L, D, E, Dev>
{
    type To<E2: Dtype, Dev2: Device<E2>> = EmbeddingPerceptron<N, K, H, L, D, E2, Dev2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, Dev>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let names: Vec<String> = (1..L).map(|layer| format!("hidden{layer}")).collect();
        let hidden: Vec<_> = (0..L - 1)
            .zip(&names)
            .map(|(layer, name)| Self::module(name, move |s| &s.hidden[layer], move |s| &mut s.hidden[layer]))
            .collect();
        visitor.visit_fields(
            (
                Self::module("embeddings", |s| &s.embeddings, |s| &mut s.embeddings),
                Self::module("input", |s| &s.input, |s| &mut s.input),
                hidden,
                Self::module("output", |s| &s.output, |s| &mut s.output),
            ),
            |(embeddings, input, hidden, output)| EmbeddingPerceptron { embeddings, input, hidden, output },
        )
    }
}

impl<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize, E: Kernels, Dev: Device<E>>
    EmbeddingPerceptron<N, K, H, L, D, E, Dev>
{
    /// The number of variables that the deep optimizer moves: embeddings, weights and biases.
    pub const PARAMETERS: usize = N * K + (K + 1) * H + (L - 1) * (H + 1) * H + (H + 1) * D;

    /// The start that belongs to `seed`: drawn on the host in double precision with ChaCha8, then cast and
    /// uploaded, so that it is the same in every dtype and on every device.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn draw(device: &Dev, seed: u64, initialization: Initialization) -> Result<Self, Dev::Err> {
        const { assert!(L > 0, "an embedding perceptron needs at least one hidden layer") };
        let mut draws = Draws::new(seed, initialization);
        let embeddings = draws.embeddings(N * K).map(E::of).collect();
        let embeddings = device.try_tensor_from_vec(embeddings, (Const::<N>, Const::<K>))?;
        Ok(Self {
            embeddings,
            input: draw_layer(device, &mut draws)?,
            hidden: (1..L).map(|_| draw_layer(device, &mut draws)).collect::<Result<_, _>>()?,
            output: draw_layer(device, &mut draws)?,
        })
    }

    /// The network with these parameters, [`PARAMETERS`](Self::PARAMETERS) of them in the order of
    /// [`Dimensions::start`](crate::experiment::Dimensions::start).
    pub(crate) fn from_parameters(device: &Dev, parameters: &[f64]) -> Result<Self, Dev::Err> {
        let mut numbers = parameters.iter().map(|&parameter| E::of(parameter));
        let embeddings = numbers.by_ref().take(N * K).collect();
        Ok(Self {
            embeddings: device.try_tensor_from_vec(embeddings, (Const::<N>, Const::<K>))?,
            input: take_layer(device, &mut numbers)?,
            hidden: (1..L).map(|_| take_layer(device, &mut numbers)).collect::<Result<_, _>>()?,
            output: take_layer(device, &mut numbers)?,
        })
    }

    /// y = net(z), N×D, as a chain of ordinary dfdx operations whose gradients go into `gradients`.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn compose(&self, gradients: Gradients<E, Dev>) -> Result<Taped<N, D, E, Dev>, Dev::Err> {
        let mut activation = self.input.try_forward(self.embeddings.trace(gradients))?.try_relu()?;
        for layer in &self.hidden {
            activation = layer.try_forward(activation)?.try_relu()?;
        }
        self.output.try_forward(activation)
    }
}

/// The stream of the generator for a start of the shallow optimizer's own: networks come from stream 0, couplings from stream 1.
const COORDINATES_STREAM: u64 = 2;

/// The first `count` coordinates of the shallow optimizer's own start.
pub(crate) fn draw_coordinates(seed: u64, count: usize) -> impl Iterator<Item = f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(COORDINATES_STREAM);
    (0..count).map(move |_| StandardNormal.sample(&mut generator))
}

/// The numbers that a start is made of, on the host and in double precision: first the embeddings, then the weight and the
/// bias of each layer.
pub(crate) struct Draws {
    generator: ChaCha8Rng,
    initialization: Initialization,
}

impl Draws {
    pub(crate) fn new(seed: u64, initialization: Initialization) -> Self {
        Self { generator: ChaCha8Rng::seed_from_u64(seed), initialization }
    }

    /// The next `count` coordinates of embeddings.
    pub(crate) fn embeddings(&mut self, count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(|_| StandardNormal.sample(&mut self.generator))
    }

    /// The next `count` weights or biases of a layer of `inputs` inputs.
    pub(crate) fn layer(&mut self, inputs: usize, count: usize) -> impl Iterator<Item = f64> {
        let deviation = 1.0 / (inputs as f64).sqrt();
        (0..count).map(move |_| match self.initialization {
            Initialization::Gaussian => deviation * Distribution::<f64>::sample(&StandardNormal, &mut self.generator),
            Initialization::PytorchUniform => Uniform::new_inclusive(-deviation, deviation).sample(&mut self.generator),
        })
    }
}

/// The layer of the next numbers.
fn take_layer<const I: usize, const O: usize, E: Kernels, Dev: Device<E>>(
    device: &Dev,
    numbers: &mut impl Iterator<Item = E>,
) -> Result<Linear<I, O, E, Dev>, Dev::Err> {
    let weight = numbers.by_ref().take(O * I).collect();
    let bias = numbers.by_ref().take(O).collect();
    Ok(Linear {
        weight: device.try_tensor_from_vec(weight, (Const::<O>, Const::<I>))?,
        bias: device.try_tensor_from_vec(bias, (Const::<O>,))?,
    })
}

fn draw_layer<const I: usize, const O: usize, E: Kernels, Dev: Device<E>>(
    device: &Dev,
    draws: &mut Draws,
) -> Result<Linear<I, O, E, Dev>, Dev::Err> {
    take_layer(device, &mut draws.layer(I, (I + 1) * O).map(E::of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Panels;

    /// y and the gradients of a weighted sum of y in embeddings, weights and biases: by the fused products and by the chain.
    fn fused_is_composed<const N: usize, const L: usize, E: Kernels + Products>(tolerance: f64)
    where
        Cpu: Device<E>,
    {
        let cpu = Cpu::default();
        let network = EmbeddingPerceptron::<N, 3, 5, L, 9, E, Cpu>::draw(&cpu, 1, Initialization::Gaussian).unwrap();
        let weights: Vec<E> = (1..=9 * N).map(|i| E::of((i as f64 * 0.618_033_988_749_894_9).fract() - 0.4)).collect();
        let y = network.compose(network.alloc_grads()).unwrap();
        let mut composed = vec![y.as_vec()];
        let weighted: Tensor<Rank2<N, 9>, E, Cpu> = cpu.tensor_from_vec(weights.clone(), (Const, Const));
        let gradients = (y * weighted).sum::<Rank0, _>().backward();
        composed.push(gradients.get(&network.embeddings).as_vec());
        let mut fused = Fused::new(&network.embeddings.as_vec(), 3, Activation::Relu, Panels::<E>::stride(N));
        let mut push = |weight: Vec<E>, bias: Vec<E>, slopes: [Vec<E>; 2], inputs: usize| {
            fused.push(Layer::new(&weight, &bias, inputs));
            composed.extend(slopes);
        };
        let Linear { weight, bias } = &network.input;
        push(weight.as_vec(), bias.as_vec(), [gradients.get(weight).as_vec(), gradients.get(bias).as_vec()], 3);
        for Linear { weight, bias } in &network.hidden {
            push(weight.as_vec(), bias.as_vec(), [gradients.get(weight).as_vec(), gradients.get(bias).as_vec()], 5);
        }
        let Linear { weight, bias } = &network.output;
        push(weight.as_vec(), bias.as_vec(), [gradients.get(weight).as_vec(), gradients.get(bias).as_vec()], 5);
        let mut found = vec![fused.forward().packed()];
        let mut slopes = fused.embeddings().clone();
        fused.pass(&mut slopes, None, &mut |y| {
            for (i, row) in y.rows.chunks_exact_mut(y.stride).enumerate() {
                for (point, y) in (y.first..).zip(&mut row[..y.points]) {
                    *y = weights[9 * point + i];
                }
                row[y.points..].fill(E::ZERO);
            }
        });
        found.push(slopes.packed());
        let mut inputs = [3].into_iter().chain(std::iter::repeat(5));
        let mut outputs = std::iter::repeat_n(5, L).chain([9]);
        fused.layers(&mut |weight, slopes| {
            let (inputs, outputs) = (inputs.next().unwrap(), outputs.next().unwrap());
            let rows = || slopes.chunks_exact(weight.len() / outputs);
            found.push(rows().flat_map(|row| &row[..inputs]).copied().collect());
            found.push(rows().map(|row| row[inputs]).collect());
        });
        assert_eq!((found.len(), composed.len()), (2 * L + 4, 2 * L + 4));
        for (part, (fused, composed)) in found.iter().zip(&composed).enumerate() {
            assert_eq!(fused.len(), composed.len());
            assert!(composed.iter().any(|&slope| slope != E::ZERO), "part {part} is idle");
            for (a, b) in fused.iter().zip(composed) {
                assert!((a.wide() - b.wide()).abs() < tolerance, "part {part}: {a} fused, {b} composed, L = {L}");
            }
        }
    }

    #[test]
    fn the_fused_network_has_the_values_and_gradients_of_the_composed_one() {
        fused_is_composed::<7, 1, f64>(1e-14);
        fused_is_composed::<7, 2, f64>(1e-14);
        fused_is_composed::<7, 3, f64>(1e-14);
        fused_is_composed::<7, 1, f32>(1e-5);
        fused_is_composed::<7, 3, f32>(1e-5);
        // Several panels of points.
        fused_is_composed::<131, 2, f64>(1e-13);
        fused_is_composed::<131, 2, f32>(1e-4);
    }

    /// The gradient in the embeddings of a network whose first weight is so large that its columns are read in bands of rows.
    fn large_is_small<R: Products>(activations: &[Activation], epsilon: f64) {
        // In double precision, the weight is so large that it is streamed from memory as well.
        const SIZE: usize = 1_800;
        const POINTS: usize = 3;
        let mut state = 1u64;
        let mut irregular = |width: f64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            R::of(width * ((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5))
        };
        let weight: Vec<R> = (0..SIZE * SIZE).map(|_| irregular(0.1)).collect();
        let embeddings: Vec<R> = (0..POINTS * SIZE).map(|_| irregular(2.0)).collect();
        let ones = vec![R::of(1.0); SIZE];
        let row = |index: usize| &weight[index * SIZE..][..SIZE];
        for &activation in activations {
            // The large weight is that of the second layer, too.
            for layers in [1, 2] {
                let mut fused = Fused::new(&embeddings, SIZE, activation, Panels::<R>::stride(POINTS));
                (0..layers).for_each(|_| fused.push(Layer::new(&weight, &ones, SIZE)));
                fused.push(Layer::new(&ones, &ones[..1], SIZE));
                let mut gradient = fused.embeddings().clone();
                fused.pass(&mut gradient, None, &mut |y| y.rows.fill(R::of(1.0)));
                let found = gradient.packed();
                for (point, z) in embeddings.chunks_exact(SIZE).enumerate() {
                    let (mut input, mut slopes) = (z.iter().map(|z| z.wide()).collect::<Vec<_>>(), Vec::new());
                    for _ in 0..layers {
                        let sum = |index| row(index).iter().zip(&input).fold(1.0, |sum, (w, x)| sum + w.wide() * x);
                        let sums: Vec<f64> = (0..SIZE).map(sum).collect();
                        type Map = fn(f64) -> f64;
                        let (value, slope): (Map, Map) = match activation {
                            Activation::Relu => (|sum| sum.max(0.0), |sum| f64::from(sum > 0.0)),
                            _ => (f64::tanh, |sum| 1.0 - sum.tanh().powi(2)),
                        };
                        slopes.push(sums.iter().copied().map(slope).collect::<Vec<_>>());
                        input = sums.into_iter().map(value).collect();
                    }
                    let mut expected = vec![1.0; SIZE];
                    for slopes in slopes.iter().rev() {
                        let through: Vec<f64> = expected.iter().zip(slopes).map(|(a, b)| a * b).collect();
                        expected = vec![0.0; SIZE];
                        for (index, through) in through.iter().enumerate() {
                            expected.iter_mut().zip(row(index)).for_each(|(sum, w)| *sum += through * w.wide());
                        }
                    }
                    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
                    assert!(largest > 0.0, "{activation}, {layers} layers: nothing flows back");
                    for (i, &expected) in expected.iter().enumerate() {
                        let error = (found[point * SIZE + i].wide() - expected).abs();
                        assert!(error <= epsilon * largest, "{activation}, {layers} layers, {i}: {error} of {largest}");
                    }
                }
            }
        }
    }

    #[test]
    fn large_weights_have_the_gradients_of_plain_loops() {
        large_is_small::<f64>(&[Activation::Relu, Activation::Tanh], 1e-11);
        // Where a sum is next to zero, its sign is that of rounding.
        large_is_small::<f32>(&[Activation::Tanh], 1e-3);
    }
}
