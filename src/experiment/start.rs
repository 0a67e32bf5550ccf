//! The start of a run as numbers, for programs that are to start where this crate does.

use super::Dimensions;
use crate::network::{Draws, Fused, Initialization};
use crate::optimizer::Optimizer;

impl Dimensions {
    /// The parameters that the run of `seed` starts from, in double precision, row-major: y0 (n×d) of the shallow optimizer; of
    /// the deep one z0 (n×k), then weight (outputs×inputs) and bias (outputs) of every layer, the output layer last.
    pub fn start(self, optimizer: Optimizer, seed: u64, initialization: Initialization) -> Vec<f64> {
        let Self { n, k, .. } = self;
        let mut draws = Draws::new(seed, initialization);
        let mut parameters: Vec<f64> = draws.embeddings(n * k).collect();
        let mut network = Fused::new(&parameters, k);
        for (inputs, outputs) in self.layers() {
            let weight: Vec<f64> = draws.layer(inputs, outputs * inputs).collect();
            let bias: Vec<f64> = draws.layer(inputs, outputs).collect();
            network.push(&weight, &bias, inputs);
            parameters.extend(weight);
            parameters.extend(bias);
        }
        match optimizer {
            Optimizer::Shallow => network.forward().packed(),
            Optimizer::Deep => parameters,
        }
    }

    /// Inputs and outputs of every layer.
    fn layers(self) -> impl Iterator<Item = (usize, usize)> {
        let Self { k, hidden, layers, d, .. } = self;
        let inner = (1..layers).map(move |_| (hidden, hidden));
        std::iter::once((k, hidden)).chain(inner).chain(std::iter::once((hidden, d)))
    }
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
