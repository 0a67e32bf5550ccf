//! The devices that compute experiments: the processor's cores or an NVIDIA GPU.

use crate::batch::Gpu;
use crate::element::Element;
use crate::error::Error;
use crate::network::EmbeddingPerceptron;
use crate::objective::{Map, Taped, squash, squash_slope};
use crate::simd::Panels;
use dfdx::prelude::*;
use std::fmt;
use std::str::FromStr;

/// The device that computes experiments.
///
/// ```
/// use overparam::prelude::*;
///
/// let backend: Backend = "cpu".parse()?;
/// backend.ensure()?;
/// assert_eq!(backend.describe(), "cpu");
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The processor's cores.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. In programs built with the feature `cuda` only.
    Cuda,
}

impl Backend {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Cuda];

    /// A GPU where there is one that can be used, else the CPU.
    pub fn auto() -> Self {
        if Self::Cuda.ensure().is_ok() { Self::Cuda } else { Self::Cpu }
    }

    /// `"cpu"` or `"cuda"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// The name, for a GPU with its model: what files carry as their device.
    pub fn describe(self) -> String {
        match self {
            Self::Cpu => self.name().to_owned(),
            Self::Cuda => {
                Gpu::open().map_or_else(|_| self.name().to_owned(), |gpu| format!("{}: {}", self.name(), gpu.model))
            }
        }
    }

    /// Finds out whether this program can compute there.
    ///
    /// # Errors
    /// If it cannot, with what to do: the program was built without the feature `cuda`, or there is no driver or no GPU.
    pub fn ensure(self) -> Result<(), Error> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => Gpu::open().map(|_| ()),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    /// `cpu`, `cuda`, or `auto` for [`Backend::auto`].
    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "auto" {
            return Ok(Self::auto());
        }
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| Error::unknown("device", name, &["cpu", "cuda", "auto"]))
    }
}

/// A dfdx device that experiments run on, with its way from parameters to points: on the CPU the network and the squash are
/// one fused operation each, anywhere else chains of ordinary ones.
pub trait Compute<E: Element>: Device<E> {
    /// The backend of the device.
    const BACKEND: Backend;

    /// x = map(y).
    #[doc(hidden)]
    fn squash<const N: usize, const D: usize>(
        y: Taped<N, D, E, Self>,
        map: Map,
    ) -> Result<Taped<N, D, E, Self>, Self::Err> {
        compose_squash(y, map)
    }

    /// x = map(net(z)), N×D, whose gradients go into `gradients`.
    #[doc(hidden)]
    fn embed<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize>(
        network: &EmbeddingPerceptron<N, K, H, L, D, E, Self>,
        gradients: Gradients<E, Self>,
        map: Map,
    ) -> Result<Taped<N, D, E, Self>, Self::Err> {
        compose_squash(network.compose(gradients)?, map)
    }
}

/// x = map(y) as ordinary operations. A clamped y is clamped after each step, so here it is x.
fn compose_squash<const N: usize, const D: usize, E: Element, Dev: Device<E>>(
    y: Taped<N, D, E, Dev>,
    map: Map,
) -> Result<Taped<N, D, E, Dev>, Dev::Err> {
    match map {
        Map::Logistic { gain } => y.try_mul(E::of(gain))?.try_sigmoid(),
        Map::Clamp | Map::Identity => Ok(y),
    }
}

impl<E: Element> Compute<E> for Cpu
where
    Cpu: Device<E>,
{
    const BACKEND: Backend = Backend::Cpu;

    /// The squash is the kernels' own, as one operation: dfdx's sigmoid differs from it in the last bit, and the start must not.
    fn squash<const N: usize, const D: usize>(y: Taped<N, D, E>, map: Map) -> Result<Taped<N, D, E>, CpuError> {
        if matches!(map, Map::Clamp | Map::Identity) {
            return Ok(y);
        }
        let mut squashed = Panels::from_packed(&y.as_vec(), D);
        squash(&mut squashed, map);
        let squashed = squashed.packed();
        let (y, mut tape) = y.split_tape();
        let x = y.device().try_tensor_from_vec(squashed.clone(), (Const::<N>, Const::<D>))?;
        let (input, output) = (y.ghost(), x.ghost());
        tape.add_backward_op(move |gradients| {
            let upstream = E::slice(gradients.get_or_alloc_mut(&output)?).to_vec();
            let into = E::slice(gradients.get_or_alloc_mut(&input)?);
            for ((into, slope), &x) in into.iter_mut().zip(upstream).zip(&squashed) {
                *into += slope * squash_slope(x, map);
            }
            Ok(())
        });
        Ok(x.put_tape(tape))
    }

    fn embed<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize>(
        network: &EmbeddingPerceptron<N, K, H, L, D, E, Cpu>,
        gradients: Gradients<E, Cpu>,
        map: Map,
    ) -> Result<Taped<N, D, E>, CpuError> {
        network.forward(gradients, map)
    }
}

#[cfg(feature = "cuda")]
impl<E: Element> Compute<E> for Cuda
where
    Cuda: Device<E>,
{
    const BACKEND: Backend = Backend::Cuda;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_and_a_missing_gpu_is_said() {
        assert_eq!("cpu".parse::<Backend>().unwrap(), Backend::Cpu);
        assert_eq!("cuda".parse::<Backend>().unwrap(), Backend::Cuda);
        let error = "gpu".parse::<Backend>().unwrap_err().to_string();
        assert!(error.contains("'gpu'") && error.contains("cpu, cuda, auto"), "{error}");
        match Backend::Cuda.ensure() {
            Ok(()) => assert!(Backend::Cuda.describe().starts_with("cuda: ")),
            Err(error) => {
                assert_eq!((Backend::auto(), Backend::Cuda.describe()), (Backend::Cpu, "cuda".to_owned()));
                assert!(error.to_string().contains("device cpu"), "{error}");
            }
        }
        #[cfg(not(feature = "cuda"))]
        assert!(Backend::Cuda.ensure().unwrap_err().to_string().contains("--features cuda"));
    }

    /// What runs on any device has the values and the gradients of what runs on the CPU.
    #[test]
    fn the_composed_squash_is_the_fused_one() {
        let cpu = Cpu::default();
        let y = (0..12).map(|i| 0.7 * f64::from(i) - 4.0).collect();
        let y: Tensor<Rank2<4, 3>, f64, Cpu> = cpu.tensor_from_vec(y, (Const, Const));
        for map in [Map::Logistic { gain: 1.0 }, Map::Logistic { gain: 1.7 }, Map::Clamp] {
            let [fused, composed] = [Cpu::squash, compose_squash].map(|squash| {
                let x = squash(y.leaky_trace(), map).unwrap();
                let mut found = x.as_vec();
                found.extend(x.square().sum::<Rank0, _>().backward().get(&y).as_vec());
                found
            });
            for (fused, composed) in fused.iter().zip(&composed) {
                assert!((fused - composed).abs() < 1e-13, "{map:?}: {fused} fused, {composed} composed");
            }
        }
    }
}
