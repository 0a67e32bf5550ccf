//! The start of a run as numbers, for programs that are to start where this crate does.

use super::Dimensions;
use crate::error::Error;
use crate::network::{Draws, Fused, Initialization, Products};
use crate::objective::{Kernel, Map, squash};
use crate::optimizer::{FusedDeep, FusedShallow, Optimizer, Squash, Step};
use crate::simd::{Panels, Real};
use std::sync::Arc;

/// What the deep optimizer starts from.
pub(crate) struct Start<R> {
    /// z0, n×k, row-major.
    pub embeddings: Vec<R>,
    /// The layers, the output layer last.
    pub layers: Vec<Layer<R>>,
}

/// A linear layer.
pub(crate) struct Layer<R> {
    pub inputs: usize,
    /// Row-major, a row an output.
    pub weight: Vec<R>,
    pub bias: Vec<R>,
}

impl Dimensions {
    /// The parameters that the run of `seed` starts from, in double precision, row-major: y0 (n×d) of the shallow optimizer; of
    /// the deep one z0 (n×k), then weight (outputs×inputs) and bias (outputs) of every layer, the output layer last.
    pub fn start(self, optimizer: Optimizer, seed: u64, initialization: Initialization) -> Vec<f64> {
        let Start { embeddings, layers } = self.draw(seed, initialization);
        match optimizer {
            Optimizer::Shallow => self.network(&Start { embeddings, layers }).forward().packed(),
            Optimizer::Deep => {
                let layers = layers.into_iter().flat_map(|layer| layer.weight.into_iter().chain(layer.bias));
                embeddings.into_iter().chain(layers).collect()
            }
        }
    }

    /// The start of the run of `seed`: drawn in double precision, then cast, so that it is the same in every dtype.
    pub(crate) fn draw<R: Real>(self, seed: u64, initialization: Initialization) -> Start<R> {
        let mut draws = Draws::new(seed, initialization);
        let embeddings = draws.embeddings(self.n * self.k).map(R::of).collect();
        let layers = self.layers().map(|(inputs, outputs)| Layer {
            inputs,
            weight: draws.layer(inputs, outputs * inputs).map(R::of).collect(),
            bias: draws.layer(inputs, outputs).map(R::of).collect(),
        });
        Start { embeddings, layers: layers.collect() }
    }

    /// The network at `start`.
    pub(crate) fn network<R: Products>(self, start: &Start<R>) -> Fused<R> {
        let mut network = Fused::new(&start.embeddings, self.k);
        for Layer { inputs, weight, bias } in &start.layers {
            network.push(weight, bias, *inputs);
        }
        network
    }

    /// Inputs and outputs of every layer.
    pub(crate) fn layers(self) -> impl Iterator<Item = (usize, usize)> {
        let Self { k, hidden, layers, d, .. } = self;
        let inner = (1..layers).map(move |_| (hidden, hidden));
        std::iter::once((k, hidden)).chain(inner).chain(std::iter::once((hidden, d)))
    }
}

/// y0 = net(z0) and the map from y to x; for projected descent y0 is x0 itself.
pub(crate) fn start<R: Products>(
    network: &mut Fused<R>,
    optimizer: Optimizer,
    squashing: Squash,
) -> Result<(Panels<R>, Map), Error> {
    let mut y = network.forward();
    // What fills the rows is zero or one of the points again: the largest is that of the points.
    let map = squashing.map(y.scalars());
    if squashing == Squash::Clamp {
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

/// One of the optimizers on fused operations, before its first step.
pub(crate) fn fused_step<R: Products>(
    mut network: Fused<R>,
    kernel: Arc<dyn Kernel<R>>,
    optimizer: Optimizer,
    squashing: Squash,
) -> Result<Box<dyn Step<R> + Send>, Error> {
    kernel.check()?;
    let (y, map) = start(&mut network, optimizer, squashing)?;
    Ok(match optimizer {
        Optimizer::Shallow => Box::new(FusedShallow::new(y, map, kernel)),
        Optimizer::Deep => Box::new(FusedDeep::new(network, map, kernel)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::EmbeddingPerceptron;
    use dfdx::prelude::{AsArray, Cpu};

    #[test]
    fn the_start_is_that_of_a_run() {
        let dimensions = Dimensions { n: 7, k: 3, hidden: 5, layers: 2, d: 9 };
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
            assert_eq!(dimensions.start(Optimizer::Deep, 4, initialization), expected);
            assert_eq!(expected.len(), dimensions.parameters(Optimizer::Deep));
            let y = network.fuse().forward().packed();
            assert_eq!(dimensions.start(Optimizer::Shallow, 4, initialization), y);
        }
    }
}
