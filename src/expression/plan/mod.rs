//! From a graph to instructions: what is computed together, and where it lies meanwhile.
//!
//! Instructions work on registers of points, one for each element of a vector, as many at a time as stay in the first-level cache. Elements of
//! vectors of the same length are computed in one pass, and all instructions of the pass are done for one chunk before the next; a pass ends
//! where something needs all elements, such as what follows a sum. Values that a later pass needs lie in memory, the others in the pass's own
//! few chunks.

mod draft;
mod layout;
mod schedule;
mod write;

use crate::graph::Recorded;
use crate::graph::gradient::gradient;
use crate::graph::interval::magnitudes;
use crate::graph::operation::{Reduction, Unary};
use crate::simd::Real;
use schedule::Planner;

/// A place in memory, in registers: fixed, or with the chunk that is worked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub base: u32,
    pub moving: bool,
}

impl Place {
    fn fixed(base: usize) -> Self {
        Self { base: base as u32, moving: false }
    }

    fn moving(base: usize) -> Self {
        Self { base: base as u32, moving: true }
    }

    /// The register where the chunk from element `start` on begins.
    #[inline(always)]
    pub(crate) fn at(self, start: usize) -> usize {
        self.base as usize + if self.moving { start } else { 0 }
    }
}

/// The operation of an instruction. V stands for an operand with a register for each element, S for one with a single register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    AddVV,
    AddVS,
    SubVV,
    SubVS,
    SubSV,
    MulVV,
    MulVS,
    DivVV,
    DivVS,
    DivSV,
    MinVV,
    MinVS,
    MaxVV,
    MaxVS,
    /// a b + c
    MulAddVVV,
    MulAddVVS,
    MulAddVSV,
    MulAddVSS,
    /// a b - c
    MulSubVVV,
    MulSubVVS,
    MulSubVSV,
    MulSubVSS,
    /// c - a b
    SubMulVVV,
    SubMulVVS,
    SubMulVSV,
    SubMulVSS,
    Unary(Unary),
    /// a b c, with c a single number and b one where it is an S
    MulMulVVS,
    MulMulVSS,
    /// The sine, and where there is a second place, the cosine.
    SinCos,
    /// The same of arguments up to [`NEAR`].
    SinCosNear,
    /// The same of π b a, with b a single number.
    SinCosPi,
    /// Operand by operand, whether it is a V.
    Power([bool; 2]),
    SelectLess([bool; 4]),
    /// A single register, for each element.
    Fill,
    Copy,
    /// Constants, from number `extra` on.
    Constants,
    /// The elements of a at the places in the list from `extra` on.
    Gather,
    /// Onto the single register of the result.
    Reduce(Reduction),
    /// The sum of a b.
    SumMul,
    /// The sum of a b + c; of b and c, whether they are a V.
    SumMulAdd([bool; 2]),

    // What follows works on whole vectors.
    Zero,
    /// The elements of a, times the single number b, onto those of the result.
    AddOnto,
    /// The same, at the places whose elements are listed from `extra` on.
    Scatter,
    /// Sums of each `extra` elements of a b.
    SumRowsMul,
    SumRows,
    SumColumns,
    Cumulate,
    CumulateReverse,
    Others,
    /// Matrix number `extra` times a.
    Product,
}

/// One operation on a chunk of elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub code: Code,
    pub result: Place,
    /// The second result, where there is one.
    pub second: Option<Place>,
    pub operands: [Place; 4],
    pub extra: u32,
    /// The number of elements, if it differs from that of the pass.
    pub count: u32,
}

/// Instructions that are done together, chunk by chunk.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// The number of elements.
    pub len: usize,
    /// Elements at a time.
    pub chunk: usize,
    /// Its instructions work on whole vectors.
    pub whole: bool,
    pub instructions: std::ops::Range<usize>,
    /// The places of reductions, and their kinds.
    pub reductions: Vec<(usize, Reduction)>,
}

/// A constant matrix, as [`crate::simd::matrix::Grouped`] has it.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<R> {
    pub data: Vec<R>,
    pub rows: usize,
    pub columns: usize,
}

/// A program for the value and the gradient of an expression at a register of points.
#[derive(Clone, Debug)]
pub(crate) struct Program<R> {
    pub dimension: usize,
    /// The bounds of the coordinates that are the input.
    pub domain: [f64; 2],
    pub passes: Vec<Pass>,
    pub instructions: Vec<Instruction>,
    /// The single numbers, which lie in the first registers.
    pub scalars: Vec<R>,
    pub constants: Vec<R>,
    pub lists: Vec<u32>,
    pub matrices: Vec<Matrix<R>>,
    /// Registers of memory.
    pub registers: usize,
    /// The place of the coordinates.
    pub input: usize,
    /// Factors of the value and of the gradient.
    pub factors: [f64; 2],
    /// The place of the value.
    pub value: usize,
    /// The place of the gradient, and the distance between its coordinates.
    pub gradient: (usize, usize),
    /// Floating-point operations of one point, counting an elementary function as one.
    pub operations: usize,
    /// A bound of the gradient, infinite where there is none.
    pub steepest: f64,
}

impl<R: Real> Program<R> {
    /// The program of what was recorded. Nothing would be a fault of the plan.
    pub(crate) fn new(recorded: Recorded) -> Option<Self> {
        let Recorded { mut graph, value, dimension, domain } = recorded;
        let slope = gradient(&mut graph, value).unwrap_or_else(|| graph.scalar(0.0));
        let magnitudes = magnitudes(&graph, domain);
        let steepest = magnitudes[slope.index()];
        // Constant factors are left to who takes the results.
        let [(value, value_factor), (slope, slope_factor)] = [value, slope]
            .map(|id| graph.factor(id).filter(|&(of, _)| graph.len(of) == graph.len(id)).unwrap_or((id, 1.0)));
        let factors = [value_factor, slope_factor];
        let program = Planner::new(&graph, [value, slope], dimension, magnitudes).plan(domain)?;
        Some(Self { steepest, factors, ..program })
    }

    /// Bytes of memory that the points of one register take while they are evaluated.
    pub(crate) fn bytes(&self) -> usize {
        self.registers * R::BLOCK * size_of::<R>()
    }
}
