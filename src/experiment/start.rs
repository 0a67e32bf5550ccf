//! The start of a run as numbers, for programs that are to start where this crate does.

use super::Dimensions;
use crate::descent::{FusedDeep, FusedShallow, Optimizer, Settings, ShallowStart, Squash, Step, Stepper};
use crate::error::Error;
use crate::network::{self, Activation, Draws, Fused, Initialization, Products, draw_coordinates};
use crate::objective::Kernel;
use crate::parametrization::{Direct, Network};
use crate::rule::Rule;
use crate::simd::{Panels, Real};
use crate::squash::{Map, squash};
use std::borrow::Borrow;
use std::iter::once;
use std::sync::Arc;

/// The start of the deep optimizer.
pub(crate) struct Start<R> {
    /// z0, n×k, row-major.
    pub embeddings: Vec<R>,
    /// The layers, the output layer last.
    pub layers: Vec<Layer<R>>,
}

impl<R: Real> Start<R> {
    /// Sets the output layer to zero, as that of a residual network starts.
    pub(crate) fn silence(&mut self) {
        if let Some(Layer { weight, bias, .. }) = self.layers.last_mut() {
            weight.fill(R::ZERO);
            bias.fill(R::ZERO);
        }
    }
}

/// A linear layer.
pub(crate) struct Layer<R> {
    pub inputs: usize,
    /// Row-major, one row per output.
    pub weight: Vec<R>,
    pub bias: Vec<R>,
}

impl Dimensions {
    /// The parameters that the run of `seed` starts from, in double precision, row-major: y0 (n×d) of the shallow optimizer; of
    /// the deep one z0 (n×k), then weight (outputs×inputs) and bias (outputs) of every layer, the output layer last; of a
    /// [residual](Settings::residual) network that one is zero.
    pub fn start(self, optimizer: Optimizer, seed: u64, settings: &Settings) -> Vec<f64> {
        let mut start = self.draw(seed, settings.initialization);
        match optimizer {
            Optimizer::Shallow => {
                let stride = Panels::<f64>::stride(self.n);
                let mut network = self.network(&start.embeddings, &start.layers, settings.activation, stride);
                self.coordinates(&mut network, optimizer, seed, settings).packed()
            }
            Optimizer::Deep => {
                if settings.residual {
                    start.silence();
                }
                let Start { embeddings, layers } = start;
                let layers = layers.into_iter().flat_map(|layer| layer.weight.into_iter().chain(layer.bias));
                embeddings.into_iter().chain(layers).collect()
            }
        }
    }

    /// The start of the run of `seed`: drawn in double precision, then cast, so that it is the same in every dtype.
    pub(crate) fn draw<R: Real>(self, seed: u64, initialization: Initialization) -> Start<R> {
        let (embeddings, layers) = self.draws(seed, initialization);
        Start { embeddings, layers: layers.collect() }
    }

    /// The embeddings of [`Dimensions::draw`], and its layers, each drawn when it is asked for.
    fn draws<R: Real>(self, seed: u64, initialization: Initialization) -> (Vec<R>, impl Iterator<Item = Layer<R>>) {
        let mut draws = Draws::new(seed, initialization);
        let embeddings = draws.embeddings(self.n * self.k).map(R::of).collect();
        let layers = self.layers().map(move |(inputs, outputs)| Layer {
            inputs,
            weight: draws.layer(inputs, outputs * inputs).map(R::of).collect(),
            bias: draws.layer(inputs, outputs).map(R::of).collect(),
        });
        (embeddings, layers)
    }

    /// The network at the start of the run of `seed`, for panels of `stride` points. No more than one layer is held beside it.
    pub(super) fn drawn<R: Products>(self, seed: u64, settings: &Settings, stride: usize) -> Fused<R> {
        let (embeddings, layers) = self.draws(seed, settings.initialization);
        self.network(&embeddings, layers, settings.activation, stride)
    }

    /// The network of these embeddings and layers, for panels of `stride` points.
    pub(crate) fn network<R: Products>(
        self,
        embeddings: &[R],
        layers: impl IntoIterator<Item = impl Borrow<Layer<R>>>,
        activation: Activation,
        stride: usize,
    ) -> Fused<R> {
        let mut network = Fused::new(embeddings, self.k, activation, stride);
        for layer in layers {
            let Layer { inputs, weight, bias } = layer.borrow();
            let padded = network::Layer::new(weight, bias, *inputs);
            // Before there is more to hold.
            drop(layer);
            network.push(padded);
        }
        network
    }

    /// y0 of the run of `seed`, whose network starts as `network`.
    fn coordinates<R: Products>(
        self,
        network: &mut Fused<R>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Panels<R> {
        // A residual network starts where the shallow optimizer does.
        let shallow = optimizer == Optimizer::Shallow || settings.residual;
        match settings.shallow_start {
            ShallowStart::Own if shallow => {
                let y: Vec<R> = draw_coordinates(seed, self.n * self.d).map(R::of).collect();
                Panels::with_stride(&y, self.d, network.embeddings().width())
            }
            ShallowStart::Own | ShallowStart::Shared => network.forward(),
        }
    }

    /// Inputs and outputs of every layer.
    pub(crate) fn layers(self) -> impl Iterator<Item = (usize, usize)> {
        let widths = self.widths.as_slice().iter().copied();
        let inputs = once(self.k).chain(widths.clone());
        inputs.zip(widths.chain(once(self.d)))
    }
}

/// y0 of the run of `seed`, whose network starts as `network`, and the map from y to x; for projected descent y0 is x0 itself. Where
/// nothing in the run depends on y0, it has no coordinates: large ones would be as much memory as the run itself.
pub(crate) fn begin<R: Products>(
    dimensions: Dimensions,
    network: &mut Fused<R>,
    optimizer: Optimizer,
    seed: u64,
    settings: &Settings,
) -> Result<(Panels<R>, Map), Error> {
    let needed = optimizer == Optimizer::Shallow || settings.residual || settings.squash != Squash::Sigmoid;
    let mut y =
        if needed { dimensions.coordinates(network, optimizer, seed, settings) } else { network.embeddings().like(0) };
    // What fills the rows is zero or one of the points again: the largest is that of the points.
    let map = settings.squash.map(y.scalars());
    if settings.squash == Squash::Clamp {
        if optimizer == Optimizer::Deep {
            return Err(Error::Setting {
                name: "the squash of the deep optimizer",
                expected: "sigmoid or scaled-tanh (projected descent needs the coordinates themselves as parameters)",
                given: "clamp".to_owned(),
            });
        }
        squash(&mut y, Map::Logistic { gain: 1.0 });
    }
    Ok((y, map))
}

/// The length of the rows of the panels of a run on `kernel`.
pub(crate) fn stride<R: Real>(dimensions: Dimensions, kernel: &(dyn Kernel<R> + '_), optimizer: Optimizer) -> usize {
    match optimizer {
        Optimizer::Shallow => kernel.stride_alone(dimensions.n),
        Optimizer::Deep => kernel.stride(dimensions.n),
    }
}

/// One of the optimizers on `kernel`, before its first step, where the network of the run of `seed` is `network`.
pub(crate) fn step<'a, R: Products>(
    dimensions: Dimensions,
    mut network: Fused<R>,
    kernel: Arc<dyn Kernel<R> + 'a>,
    optimizer: Optimizer,
    seed: u64,
    settings: &Settings,
) -> Result<Box<dyn Step<R> + Send + 'a>, Error> {
    kernel.check()?;
    let (y, map) = begin(dimensions, &mut network, optimizer, seed, settings)?;
    let &Settings { rule, residual, frozen_embeddings: frozen, gradient_scale, .. } = settings;
    // Gradient descent needs no gradient of its own: the steps are added where they are computed.
    let in_place = rule == Rule::GradientDescent;
    Ok(match optimizer {
        Optimizer::Shallow if in_place && kernel.steps() => Box::new(FusedShallow::new(y, map, kernel, gradient_scale)),
        Optimizer::Shallow => Box::new(Stepper::new(Direct::new(y), rule.build(), map, kernel, gradient_scale)),
        Optimizer::Deep if in_place && !residual && !frozen => {
            Box::new(FusedDeep::new(network, map, kernel, gradient_scale))
        }
        Optimizer::Deep => {
            let network = if residual { Network::residual(network, frozen, y) } else { Network::new(network, frozen) };
            Box::new(Stepper::new(network, rule.build(), map, kernel, gradient_scale))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Widths;
    use crate::network::EmbeddingPerceptron;
    use dfdx::prelude::{AsArray, Cpu};

    #[test]
    fn the_start_is_that_of_a_run() {
        let dimensions = Dimensions { n: 7, k: 3, widths: Widths::of(&[5, 5]), d: 9 };
        for initialization in Initialization::ALL {
            type Network = EmbeddingPerceptron<7, 3, 5, 2, 9, f64, Cpu>;
            let network = Network::draw(&Cpu::default(), 4, initialization).unwrap();
            let mut expected = network.embeddings.as_vec();
            expected.extend(network.input.weight.as_vec());
            expected.extend(network.input.bias.array());
            expected.extend(network.hidden[0].weight.as_vec());
            expected.extend(network.hidden[0].bias.array());
            expected.extend(network.output.weight.as_vec());
            expected.extend(network.output.bias.array());
            let settings = Settings { initialization, ..Settings::default() };
            assert_eq!(dimensions.start(Optimizer::Deep, 4, &settings), expected);
            assert_eq!(expected.len(), dimensions.parameters(Optimizer::Deep));
            let y = dimensions.drawn::<f64>(4, &settings, Panels::<f64>::stride(7)).forward().packed();
            assert_eq!(dimensions.start(Optimizer::Shallow, 4, &settings), y);
            let own = Settings { shallow_start: ShallowStart::Own, ..settings };
            assert_eq!(dimensions.start(Optimizer::Deep, 4, &own), expected);
            assert_eq!(dimensions.start(Optimizer::Shallow, 4, &own), draw_coordinates(4, 63).collect::<Vec<_>>());
            // The width of the panels makes no difference.
            let more = Dimensions { n: 40, ..dimensions };
            let of = |stride| more.drawn::<f64>(4, &settings, stride).forward().packed();
            assert_eq!(of(<f64 as Real>::BLOCK), of(Panels::<f64>::stride(40)));
        }
    }
}
