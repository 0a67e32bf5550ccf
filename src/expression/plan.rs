//! From a graph to instructions: what is computed together, and where it lies meanwhile.
//!
//! Instructions work on registers of points, one for each element of a vector, as many at a time as stay in the first-level cache. Elements of
//! vectors of the same length are computed in one pass, and all instructions of the pass are done for one chunk before the next; a pass ends
//! where something needs all elements, such as what follows a sum. Values that a later pass needs lie in memory, the others in the pass's own
//! few chunks.

use super::Recorded;
use super::gradient::gradient;
use super::graph::{Data, Graph, Id, Indices, Op};
use super::interval::magnitudes;
use super::operation::{Binary, Reduction, Unary};
use crate::simd::Real;
use crate::simd::matrix::grouped;
use std::collections::HashMap;
use std::f64::consts::PI;

/// How many registers the chunks of a pass may have together: 20 KiB of the widest.
const CHUNKS: usize = 320;

/// The fewest and the most registers in a chunk.
const CHUNK: [usize; 2] = [8, 64];

/// Up to which argument sines and cosines need no care.
const NEAR: f64 = 1e4;

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

/// What an instruction does. V stands for an operand with a register for each element, S for one with a single register.
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
    /// The same, at the places in the list from `extra` on.
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
    /// How many elements it works on where that is not the pass's number.
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
}

/// A constant matrix, as [`crate::simd::matrix::Grouped`] has it.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<R> {
    pub data: Vec<R>,
    pub rows: usize,
    pub columns: usize,
}

/// What computes the value and the gradient of an expression for a register of points.
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
    /// Where the coordinates lie.
    pub input: usize,
    /// Where the value is found.
    pub value: usize,
    /// Where the gradient is found, and how far it is from one coordinate to the next.
    pub gradient: (usize, usize),
    /// Floating-point operations of one point, counting an elementary function as one.
    pub operations: usize,
    /// A bound of the gradient, infinite where there is none.
    pub steepest: f64,
}

impl<R: Real> Program<R> {
    pub(crate) fn new(recorded: Recorded) -> Self {
        let Recorded { mut graph, value, dimension, domain } = recorded;
        let slope = gradient(&mut graph, value).unwrap_or_else(|| graph.scalar(0.0));
        let magnitudes = magnitudes(&graph, domain);
        let steepest = magnitudes[slope.index()];
        Self { steepest, ..Planner::new(&graph, [value, slope], dimension, magnitudes).plan(domain) }
    }

    /// Bytes of memory that the points of one register take while they are evaluated.
    pub(crate) fn bytes(&self) -> usize {
        self.registers * R::BLOCK * size_of::<R>()
    }
}

/// How a node is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scalar,
    Constants,
    Input,
    /// Some elements in a row of another node that lies in memory, from this one on.
    View(Id, usize),
    /// A single number in place of many.
    Broadcast(Id),
    /// Element by element.
    Elementwise,
    /// Elements of another node that lies in memory.
    Gather(Id),
    Reduce,
    /// A whole vector at once.
    Whole,
}

/// What an instruction works on before places are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Value {
    /// The single register of a number.
    Scalar(usize),
    /// Elements of a node that lies in memory, from this one on; a single register where `one`.
    Memory { node: Id, start: usize, one: bool },
    /// A chunk of the pass.
    Chunk(usize),
}

impl Value {
    fn is_vector(self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::Memory { one, .. } => !one,
            Self::Chunk(_) => true,
        }
    }
}

/// An instruction before places are given out.
#[derive(Clone, Debug)]
struct Draft {
    code: Code,
    result: Value,
    second: Option<Value>,
    operands: Vec<Value>,
    extra: u32,
    /// How many elements, where that is not the pass's number.
    count: usize,
}

/// A pass before places are given out.
struct DraftPass {
    len: usize,
    whole: bool,
    nodes: Vec<Id>,
    drafts: Vec<Draft>,
}

struct Planner<'a> {
    graph: &'a Graph,
    value: Id,
    slope: Id,
    dimension: usize,
    /// Bounds of the nodes.
    magnitudes: Vec<f64>,
    kinds: Vec<Option<Kind>>,
    /// Nodes that are computed from a node.
    users: Vec<Vec<Id>>,
    stages: Vec<usize>,
    /// Nodes that are part of the instruction of their only user.
    absorbed: Vec<bool>,
    /// Of nodes that are written where their only user has them, that user and the element from which on.
    within: HashMap<Id, (Id, usize)>,
    scalars: Vec<f64>,
    scalar_places: HashMap<u64, usize>,
    constants: Vec<f64>,
    constant_places: HashMap<Id, usize>,
    lists: Vec<u32>,
    list_places: HashMap<Indices, Vec<(usize, usize)>>,
    matrices: Vec<(Data, usize, usize)>,
}

impl<'a> Planner<'a> {
    fn new(graph: &'a Graph, [value, slope]: [Id; 2], dimension: usize, magnitudes: Vec<f64>) -> Self {
        let count = graph.nodes().len();
        Self {
            graph,
            value,
            slope,
            dimension,
            magnitudes,
            kinds: vec![None; count],
            users: vec![Vec::new(); count],
            stages: vec![0; count],
            absorbed: vec![false; count],
            within: HashMap::new(),
            scalars: Vec::new(),
            scalar_places: HashMap::new(),
            constants: Vec::new(),
            constant_places: HashMap::new(),
            lists: Vec::new(),
            list_places: HashMap::new(),
            matrices: Vec::new(),
        }
    }

    fn len(&self, id: Id) -> usize {
        self.graph.len(id)
    }

    /// What stands for a node: the node that it is the same as, as far as values go.
    fn itself(&self, mut id: Id) -> Id {
        while let Op::Detach(a) = self.graph.op(id) {
            id = *a;
        }
        id
    }

    fn kind(&self, id: Id) -> Kind {
        self.kinds[id.index()].unwrap_or(Kind::Whole)
    }

    fn is_broadcast(&self, id: Id) -> bool {
        matches!(self.kind(id), Kind::Broadcast(_))
    }

    fn is_output(&self, id: Id) -> bool {
        id == self.itself(self.value) || id == self.itself(self.slope)
    }

    /// What a node is computed from, as it is come by.
    fn operands(&self, id: Id) -> Vec<Id> {
        self.graph.op(id).operands().into_iter().map(|operand| self.itself(operand)).collect()
    }

    /// Finds out which nodes count, how they are come by, and who uses them.
    fn look(&mut self) {
        let mut pending = vec![self.itself(self.value), self.itself(self.slope)];
        while let Some(id) = pending.pop() {
            if self.kinds[id.index()].is_some() {
                continue;
            }
            let kind = match self.graph.op(id) {
                Op::Input => Kind::Input,
                Op::Scalar(_) => Kind::Scalar,
                Op::Data(_) => Kind::Constants,
                Op::Unary(..) | Op::Binary(..) | Op::SelectLess(_) => Kind::Elementwise,
                Op::Gather(a, _) if self.len(*a) == 1 => Kind::Broadcast(self.itself(*a)),
                Op::Gather(a, Indices::Slice { start, step: 1 }) => Kind::View(self.itself(*a), *start),
                Op::Gather(a, _) => Kind::Gather(self.itself(*a)),
                Op::Reduce(..) => Kind::Reduce,
                _ => Kind::Whole,
            };
            self.kinds[id.index()] = Some(kind);
            for operand in self.operands(id) {
                let users = &mut self.users[operand.index()];
                if users.last() != Some(&id) {
                    users.push(id);
                }
                pending.push(operand);
            }
        }
    }

    /// The elements that a node is computed for: those of a sum are the summands'.
    fn space(&self, id: Id) -> usize {
        match self.graph.op(id) {
            Op::Reduce(_, a) => self.len(*a),
            _ => self.len(id),
        }
    }

    /// `user`, element by element, can be computed together with `operand`.
    fn fuses(&self, operand: Id, user: Id) -> bool {
        matches!(self.kind(operand), Kind::Elementwise | Kind::Gather(_))
            && matches!(self.kind(user), Kind::Elementwise | Kind::Reduce)
            && self.len(operand) == self.space(user)
    }

    /// The first stage in which what an operand stands for can be used by `user`.
    fn available(&self, operand: Id, user: Id) -> usize {
        match self.kind(operand) {
            Kind::Scalar | Kind::Constants | Kind::Input => 0,
            Kind::View(source, _) | Kind::Broadcast(source) => self.after(source),
            Kind::Elementwise | Kind::Gather(_) if self.fuses(operand, user) => self.stages[operand.index()],
            _ => self.stages[operand.index()] + 1,
        }
    }

    /// The first stage in which a node lies in memory.
    fn after(&self, id: Id) -> usize {
        match self.kind(id) {
            Kind::Scalar | Kind::Constants | Kind::Input => 0,
            Kind::View(source, _) | Kind::Broadcast(source) => self.after(source),
            _ => self.stages[id.index()] + 1,
        }
    }

    /// The same operand has both its sine and its cosine taken.
    fn is_paired(&self, id: Id) -> bool {
        self.partner(id).is_some()
    }

    fn partner(&self, id: Id) -> Option<Id> {
        let (wanted, a) = match self.graph.op(id) {
            Op::Unary(Unary::Sin, a) => (Unary::Cos, *a),
            Op::Unary(Unary::Cos, a) => (Unary::Sin, *a),
            _ => return None,
        };
        let users = &self.users[self.itself(a).index()];
        users.iter().copied().find(|&user| matches!(self.graph.op(user), Op::Unary(found, _) if *found == wanted))
    }

    /// Gives every node its stage: as early as can be, but what is made of the coordinates and constants alone only where it is needed.
    fn stage(&mut self) {
        let live: Vec<Id> = (0..self.kinds.len()).filter(|&i| self.kinds[i].is_some()).map(|i| Id(i as u32)).collect();
        let mut movable = vec![false; self.kinds.len()];
        for &id in &live {
            let operands = self.operands(id);
            let stage = match self.kind(id) {
                Kind::Gather(source) => self.after(source),
                _ => operands.iter().map(|&operand| self.available(operand, id)).max().unwrap_or(0),
            };
            self.stages[id.index()] = stage;
            let free = |&operand: &Id| match self.kind(operand) {
                Kind::Scalar | Kind::Constants | Kind::Input | Kind::Broadcast(_) => true,
                Kind::View(source, _) => self.kind(source) == Kind::Input,
                _ if self.fuses(operand, id) => movable[operand.index()] && self.users[operand.index()].len() == 1,
                _ => self.len(operand) == 1 && self.len(id) > 1,
            };
            movable[id.index()] = match self.kind(id) {
                Kind::Elementwise => operands.iter().all(free) && !self.is_paired(id) && !self.is_output(id),
                Kind::Gather(source) => self.kind(source) == Kind::Input && !self.is_output(id),
                _ => false,
            };
        }
        for &id in live.iter().rev().filter(|id| movable[id.index()]) {
            let before = |&user: &Id| match self.kind(user) {
                _ if self.fuses(id, user) => self.stages[user.index()],
                // Of what lies in memory, where it is read does not show here.
                Kind::View(..) | Kind::Broadcast(_) => self.stages[id.index()],
                _ => self.stages[user.index()].saturating_sub(1),
            };
            let latest = self.users[id.index()].iter().map(before).min().unwrap_or(0);
            self.stages[id.index()] = self.stages[id.index()].max(latest);
        }
    }

    /// Marks the products that their only user takes in: it multiplies and adds at once.
    fn absorb(&mut self) {
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let &Op::Binary(Binary::Multiply, a, b) = self.graph.op(id) else { continue };
            if self.kinds[index].is_none() || self.is_output(id) || self.within.contains_key(&id) {
                continue;
            }
            // Multiples of half a turn are known to the sine and the cosine.
            let is_wave = |&user: &Id| {
                matches!(self.graph.op(user), Op::Unary(Unary::Sin | Unary::Cos, _))
                    && self.stages[user.index()] == self.stages[index]
            };
            let near = self.magnitudes[index] <= NEAR;
            if near && self.graph.constant(b).and_then(half_turns).is_some() && self.users[index].iter().all(is_wave) {
                self.absorbed[index] = true;
                continue;
            }
            let &[user] = &*self.users[index] else { continue };
            let (a, b) = (self.itself(a), self.itself(b));
            self.absorbed[index] = match *self.graph.op(user) {
                Op::Binary(Binary::Add | Binary::Subtract, c, d) => {
                    let (c, d) = (self.itself(c), self.itself(d));
                    let other = if c == id { d } else { c };
                    // Of two products one stays.
                    c != d
                        && !self.absorbed[other.index()]
                        && self.fuses(id, user)
                        && self.stages[index] == self.stages[user.index()]
                }
                Op::Reduce(Reduction::Sum, _) => {
                    self.len(a) == self.len(b) && self.stages[index] == self.stages[user.index()]
                }
                Op::SumRows { .. } => self.len(a) == self.len(b) && ![a, b].iter().any(|&of| self.is_broadcast(of)),
                // A constant factor.
                Op::Scatter { base, .. } => {
                    base.is_none_or(|base| self.itself(base) != id)
                        && self.kind(b) == Kind::Scalar
                        && !self.is_broadcast(a)
                }
                _ => false,
            };
        }
    }

    /// Marks, after [`Planner::absorb`], the products whose only user multiplies by a constant, and the sums of a product that are added
    /// up.
    fn absorb_more(&mut self) {
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let (Some(Kind::Elementwise), &[user]) = (self.kinds[index], &*self.users[index]) else { continue };
            let together = self.fuses(id, user) && self.stages[index] == self.stages[user.index()];
            if !together || self.absorbed[index] || self.is_output(id) || self.within.contains_key(&id) {
                continue;
            }
            let absorbed = |of: Id| self.absorbed[self.itself(of).index()];
            self.absorbed[index] = match (self.graph.op(id), self.graph.op(user)) {
                (&Op::Binary(Binary::Multiply, a, b), &Op::Binary(Binary::Multiply, c, d)) => {
                    self.itself(c) == id
                        && self.kind(d) == Kind::Scalar
                        && !self.absorbed[user.index()]
                        && !absorbed(a)
                        && !absorbed(b)
                }
                (&Op::Binary(Binary::Add, a, b), Op::Reduce(Reduction::Sum, _)) => absorbed(a) || absorbed(b),
                _ => false,
            };
        }
    }

    /// Finds what can be written where its only user has it: the parts of a concatenation, and one of the parts that are added up.
    fn settle(&mut self) {
        for index in 0..self.kinds.len() {
            let (id, mut start) = (Id(index as u32), 0);
            if self.kinds[index] != Some(Kind::Whole) {
                continue;
            }
            let graph = self.graph;
            match graph.op(id) {
                Op::Concat(parts) => {
                    for &part in parts {
                        if self.settles(part, id) && !self.within.contains_key(&part) {
                            self.within.insert(part, (id, start));
                        }
                        start += self.len(part);
                    }
                }
                Op::Scatter { base: Some(base), parts } => {
                    if self.settles(*base, id) && parts.iter().all(|(part, _)| part != base) {
                        self.within.insert(*base, (id, 0));
                    }
                }
                Op::Scatter { base: None, parts } => {
                    let longest = parts
                        .iter()
                        .filter(|(part, indices)| {
                            matches!(indices, Indices::Slice { step: 1, .. })
                                && self.settles(*part, id)
                                && parts.iter().filter(|(other, _)| other == part).count() == 1
                        })
                        .max_by_key(|(part, _)| self.len(*part));
                    if let Some((part, Indices::Slice { start, .. })) = longest {
                        self.within.insert(*part, (id, *start));
                    }
                }
                _ => {}
            }
        }
    }

    /// `part` is computed element by element, for `user` alone.
    fn settles(&self, part: Id, user: Id) -> bool {
        self.kinds[part.index()] == Some(Kind::Elementwise)
            && self.users[part.index()] == [user]
            && !self.is_output(part)
            && self.itself(part) == part
    }

    /// Cheaper to compute once more than to keep: one operation on what lies in memory anyway.
    fn is_cheap(&self, id: Id) -> bool {
        let from_memory = |operand: Id| match self.kind(self.itself(operand)) {
            Kind::Scalar | Kind::Input => true,
            Kind::View(source, _) => self.kind(source) == Kind::Input,
            _ => false,
        };
        match self.graph.op(id) {
            Op::Binary(Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Min | Binary::Max, a, b) => {
                self.kind(id) == Kind::Elementwise && from_memory(*a) && from_memory(*b)
            }
            Op::Unary(Unary::Abs, a) => from_memory(*a),
            _ => false,
        }
    }

    fn scalar(&mut self, value: f64) -> usize {
        let next = self.scalars.len();
        let place = *self.scalar_places.entry(value.to_bits()).or_insert(next);
        if place == next {
            self.scalars.push(value);
        }
        place
    }

    /// Where these places are listed.
    fn list(&mut self, indices: &Indices, len: usize) -> u32 {
        let known = self.list_places.entry(indices.clone()).or_default();
        if let Some(&(_, place)) = known.iter().find(|&&(of, _)| of >= len) {
            return place as u32;
        }
        let place = self.lists.len();
        known.push((len, place));
        self.lists.extend((0..len).map(|k| indices.at(k) as u32));
        place as u32
    }

    fn plan<R: Real>(mut self, domain: [f64; 2]) -> Program<R> {
        self.look();
        self.stage();
        self.settle();
        self.absorb();
        self.absorb_more();
        let passes = self.draft();
        self.place(passes, domain)
    }

    /// The passes, with their instructions.
    fn draft(&mut self) -> Vec<DraftPass> {
        // Of each stage and length the nodes that are computed together.
        let mut groups: HashMap<(usize, usize, bool), usize> = HashMap::new();
        let mut passes: Vec<(usize, DraftPass)> = Vec::new();
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let Some(kind) = self.kinds[index] else { continue };
            let whole = match kind {
                Kind::Elementwise | Kind::Gather(_) | Kind::Reduce => false,
                Kind::Whole => true,
                // What is asked for as a vector is made one.
                Kind::Broadcast(_) => {
                    if self.users[index].iter().all(|&user| self.kind(user) == Kind::Elementwise) && !self.is_output(id)
                    {
                        continue;
                    }
                    true
                }
                _ => continue,
            };
            if self.absorbed[index] {
                continue;
            }
            let (stage, len) = (self.stages[index], self.space(id));
            let pass = DraftPass { len, whole, nodes: Vec::new(), drafts: Vec::new() };
            if whole {
                passes.push((stage, DraftPass { nodes: vec![id], ..pass }));
                continue;
            }
            let place = *groups.entry((stage, len, whole)).or_insert_with(|| {
                passes.push((stage, pass));
                passes.len() - 1
            });
            passes[place].1.nodes.push(id);
        }
        passes.sort_by_key(|&(stage, _)| stage);
        let mut drafted = Vec::with_capacity(passes.len());
        for (stage, mut pass) in passes {
            let nodes = std::mem::take(&mut pass.nodes);
            let mut writer =
                Writer { planner: self, stage, len: pass.len, drafts: Vec::new(), found: HashMap::new(), next: 0 };
            for &id in &nodes {
                if pass.whole { writer.whole(id) } else { writer.node(id) }
            }
            pass.drafts = writer.drafts;
            pass.nodes = nodes;
            drafted.push(pass);
        }
        drafted
    }

    /// The node that lies in memory where this one is found, and from which element on.
    fn source(&self, id: Id) -> (Id, usize) {
        match self.kind(id) {
            Kind::View(source, start) => (source, start),
            _ => (id, 0),
        }
    }

    /// Gives out the places: the single numbers first, then the chunks, then everything else.
    fn place<R: Real>(mut self, mut drafts: Vec<DraftPass>, domain: [f64; 2]) -> Program<R> {
        let [value, slope] = [self.value, self.slope].map(|id| self.itself(id));
        for output in [value, slope] {
            if let Some(number) = self.graph.constant(output) {
                self.scalar(number);
            }
        }
        let mut widest = 0;
        let mut sizes = Vec::with_capacity(drafts.len());
        for pass in &mut drafts {
            let (chunks, slots) = chunk_slots(&pass.drafts);
            let most = (CHUNKS / chunks.max(1)).clamp(CHUNK[0], CHUNK[1]);
            let size = pass.len.div_ceil(pass.len.div_ceil(most));
            widest = widest.max(chunks * size);
            sizes.push((size, slots));
        }
        let first_chunk = self.scalars.len();
        let mut memory = Memory { top: first_chunk + widest, free: Vec::new() };
        let input = memory.take(self.dimension);
        // Where each node is read for the last time.
        let mut last: HashMap<Id, usize> = HashMap::new();
        for (number, pass) in drafts.iter().enumerate() {
            let values =
                pass.drafts.iter().flat_map(|draft| draft.operands.iter().chain([&draft.result]).chain(&draft.second));
            for value in values {
                if let &Value::Memory { node, .. } = value {
                    last.insert(node, number);
                }
            }
        }
        for output in [value, slope] {
            last.insert(self.source(output).0, usize::MAX);
        }
        let mut ending: Vec<Vec<Id>> = vec![Vec::new(); drafts.len()];
        for (&node, &number) in &last {
            if let Some(ending) = ending.get_mut(number)
                && self.kind(node) != Kind::Input
            {
                ending.push(node);
            }
        }
        ending.iter_mut().for_each(|nodes| nodes.sort_unstable());
        let mut places: HashMap<Id, usize> = HashMap::from_iter(self.input().map(|node| (node, input)));
        let (mut passes, mut instructions, mut operations) = (Vec::new(), Vec::new(), 0);
        for (number, (pass, (chunk, slots))) in drafts.into_iter().zip(sizes).enumerate() {
            let first = instructions.len();
            for draft in &pass.drafts {
                for &result in [&draft.result].into_iter().chain(&draft.second) {
                    let Value::Memory { node, .. } = result else { continue };
                    if places.contains_key(&node) {
                        continue;
                    }
                    let base = memory.take(self.len(node));
                    places.insert(node, base);
                }
                let at = |value: Value| match value {
                    Value::Scalar(place) => Some(Place::fixed(place)),
                    Value::Memory { node, start, one } => {
                        let base = places.get(&node)? + start;
                        Some(if one || pass.whole { Place::fixed(base) } else { Place::moving(base) })
                    }
                    Value::Chunk(name) => Some(Place::fixed(first_chunk + slots[name] * chunk)),
                };
                let mut operands = [Place::default(); 4];
                for (place, &value) in operands.iter_mut().zip(&draft.operands) {
                    *place = at(value).unwrap_or_default();
                }
                let Some(result) = at(draft.result) else { continue };
                let second = draft.second.and_then(at);
                let Draft { code, extra, count, .. } = *draft;
                operations += self.work(draft, pass.len);
                instructions.push(Instruction { code, result, second, operands, extra, count: count as u32 });
            }
            passes.push(Pass { len: pass.len, chunk, whole: pass.whole, instructions: first..instructions.len() });
            for node in &ending[number] {
                if let Some(base) = places.remove(node) {
                    memory.give(base, self.len(*node));
                }
            }
        }
        let found = |id: Id| match self.graph.constant(id) {
            Some(number) => self.scalar_places[&number.to_bits()],
            None => {
                let (node, start) = self.source(id);
                places.get(&node).map_or(input, |base| base + start)
            }
        };
        let matrices = self.matrices.iter().map(|(data, rows, columns)| Matrix {
            data: grouped(*rows, *columns).map(|(i, j)| R::of(data.0[i * columns + j])).collect(),
            rows: *rows,
            columns: *columns,
        });
        Program {
            dimension: self.dimension,
            domain,
            matrices: matrices.collect(),
            value: found(value),
            gradient: (found(slope), usize::from(self.len(slope) > 1)),
            input,
            passes,
            instructions,
            scalars: self.scalars.iter().map(|&value| R::of(value)).collect(),
            constants: self.constants.iter().map(|&value| R::of(value)).collect(),
            lists: self.lists,
            registers: memory.top,
            operations,
            steepest: f64::INFINITY,
        }
    }

    /// The node of the coordinates, where they count.
    fn input(&self) -> Option<Id> {
        (0..self.kinds.len()).find(|&i| self.kinds[i] == Some(Kind::Input)).map(|i| Id(i as u32))
    }

    /// Floating-point operations of an instruction, for `len` elements.
    fn work(&self, draft: &Draft, len: usize) -> usize {
        let each = match draft.code {
            Code::Fill | Code::Copy | Code::Constants | Code::Gather | Code::Zero => 0,
            Code::MulAddVVV | Code::MulAddVVS | Code::MulAddVSV | Code::MulAddVSS => 2,
            Code::MulSubVVV | Code::MulSubVVS | Code::MulSubVSV | Code::MulSubVSS => 2,
            Code::SubMulVVV | Code::SubMulVVS | Code::SubMulVSV | Code::SubMulVSS => 2,
            Code::SinCos | Code::SinCosNear | Code::SinCosPi => 1 + usize::from(draft.second.is_some()),
            Code::SumMul | Code::MulMulVVS | Code::MulMulVSS => 2,
            Code::SumMulAdd(_) => 3,
            Code::SumRowsMul => return 2 * draft.count * draft.extra as usize,
            Code::SumRows | Code::SumColumns => return draft.count * draft.extra as usize,
            Code::Others => return 3 * draft.count,
            Code::Product => {
                let (_, rows, columns) = &self.matrices[draft.extra as usize];
                return 2 * rows * columns * draft.count;
            }
            _ => 1,
        };
        each * if draft.count > 0 { draft.count } else { len }
    }
}

/// What has been given out of memory.
struct Memory {
    top: usize,
    /// Starts and lengths of what came back.
    free: Vec<(usize, usize)>,
}

impl Memory {
    fn take(&mut self, len: usize) -> usize {
        match self.free.iter().position(|&(_, free)| free == len) {
            Some(position) => self.free.swap_remove(position).0,
            None => {
                self.top += len;
                self.top - len
            }
        }
    }

    fn give(&mut self, base: usize, len: usize) {
        self.free.push((base, len));
    }
}

/// How many chunks instructions need at once, and which one each value has.
fn chunk_slots(drafts: &[Draft]) -> (usize, Vec<usize>) {
    let mut last: Vec<usize> = Vec::new();
    for (number, draft) in drafts.iter().enumerate() {
        for value in draft.operands.iter().chain([&draft.result]).chain(&draft.second) {
            if let &Value::Chunk(name) = value {
                last.resize(last.len().max(name + 1), 0);
                last[name] = number;
            }
        }
    }
    let (mut slots, mut free, mut top) = (vec![usize::MAX; last.len()], Vec::new(), 0);
    for (number, draft) in drafts.iter().enumerate() {
        let mut take = || {
            free.pop().unwrap_or_else(|| {
                top += 1;
                top - 1
            })
        };
        for value in [&draft.result].into_iter().chain(&draft.second) {
            if let &Value::Chunk(name) = value {
                slots[name] = take();
            }
        }
        // A result never lies where an operand of the same instruction does.
        let mut ended: Vec<usize> = Vec::new();
        for value in draft.operands.iter().chain([&draft.result]).chain(&draft.second) {
            if let &Value::Chunk(name) = value
                && last[name] == number
                && !ended.contains(&name)
            {
                ended.push(name);
            }
        }
        free.extend(ended.into_iter().map(|name| slots[name]));
    }
    (top, slots)
}

/// π times the result is `factor`, if that is a multiple of ½.
fn half_turns(factor: f64) -> Option<f64> {
    let turns = factor / PI;
    let halves = (2.0 * turns).round();
    (halves != 0.0 && (2.0 * turns - halves).abs() <= 1e-15 * halves.abs()).then_some(0.5 * halves)
}

/// Writes the instructions of a pass.
struct Writer<'w, 'a> {
    planner: &'w mut Planner<'a>,
    stage: usize,
    len: usize,
    drafts: Vec<Draft>,
    /// What has been computed in this pass.
    found: HashMap<Id, Value>,
    next: usize,
}

impl Writer<'_, '_> {
    fn graph(&self) -> &Graph {
        self.planner.graph
    }

    fn chunk(&mut self) -> Value {
        self.next += 1;
        Value::Chunk(self.next - 1)
    }

    fn push(&mut self, code: Code, result: Value, operands: Vec<Value>) {
        self.drafts.push(Draft { code, result, second: None, operands, extra: 0, count: 0 });
    }

    /// Someone reads this node from memory.
    fn stays(&self, id: Id) -> bool {
        let planner = &*self.planner;
        let reads = |&user: &Id| {
            let absorbed_by_rows = planner.absorbed[user.index()]
                && planner.users[user.index()].iter().any(|&user| planner.kind(user) == Kind::Whole);
            if !planner.fuses(id, user) || absorbed_by_rows {
                return true;
            }
            planner.stages[user.index()] != planner.stages[id.index()] && !planner.is_cheap(id)
        };
        planner.is_output(id) || planner.users[id.index()].iter().any(reads)
    }

    /// Where the value of an elementwise node goes.
    fn result(&mut self, id: Id) -> Value {
        let value = if let Some(&(node, start)) = self.planner.within.get(&id) {
            Value::Memory { node, start, one: false }
        } else if self.planner.stages[id.index()] == self.stage && self.stays(id) {
            Value::Memory { node: id, start: 0, one: false }
        } else {
            self.chunk()
        };
        self.found.insert(id, value);
        value
    }

    /// What an instruction of this pass reads a node by.
    fn operand(&mut self, id: Id) -> Value {
        let id = self.planner.itself(id);
        if let Some(&value) = self.found.get(&id) {
            return value;
        }
        let one = self.planner.len(id) == 1 && self.len > 1;
        match self.planner.kind(id) {
            Kind::Scalar => {
                let number = self.graph().constant(id).unwrap_or(f64::NAN);
                Value::Scalar(self.planner.scalar(number))
            }
            Kind::Constants => {
                let result = self.chunk();
                self.constants(id, result);
                self.found.insert(id, result);
                result
            }
            Kind::Broadcast(source) => {
                let (node, start) = self.planner.source(source);
                Value::Memory { node, start, one: true }
            }
            Kind::View(node, start) => Value::Memory { node, start, one },
            Kind::Elementwise if self.planner.len(id) == self.len && self.planner.is_cheap(id) => {
                self.elementwise(id);
                self.found[&id]
            }
            _ => Value::Memory { node: id, start: 0, one },
        }
    }

    fn constants(&mut self, id: Id, result: Value) {
        let planner = &mut *self.planner;
        let Op::Data(Data(values)) = planner.graph.op(id) else { return };
        let start = *planner.constant_places.entry(id).or_insert_with(|| {
            planner.constants.extend_from_slice(values);
            planner.constants.len() - values.len()
        });
        let count = if matches!(result, Value::Memory { .. }) { values.len() } else { 0 };
        let draft = Draft { code: Code::Constants, result, second: None, operands: vec![], extra: start as u32, count };
        self.drafts.push(draft);
    }

    /// Writes what computes a node of the pass.
    fn node(&mut self, id: Id) {
        if self.found.contains_key(&id) {
            return;
        }
        match self.graph().op(id).clone() {
            Op::Reduce(reduction, a) => self.reduce(id, reduction, self.planner.itself(a)),
            Op::Gather(a, indices) => {
                let extra = self.planner.list(&indices, self.len);
                let (node, start) = self.planner.source(self.planner.itself(a));
                let operand = Value::Memory { node, start, one: true };
                let result = self.result(id);
                let draft =
                    Draft { code: Code::Gather, result, second: None, operands: vec![operand], extra, count: 0 };
                self.drafts.push(draft);
            }
            _ => self.elementwise(id),
        }
    }

    fn reduce(&mut self, id: Id, reduction: Reduction, a: Id) {
        let result = Value::Memory { node: id, start: 0, one: true };
        if self.planner.absorbed[a.index()]
            && let Op::Binary(operation, b, c) = *self.graph().op(a)
        {
            if operation == Binary::Add {
                let (b, c) = (self.planner.itself(b), self.planner.itself(c));
                let (product, other) = if self.planner.absorbed[b.index()] { (b, c) } else { (c, b) };
                let Some([x, y]) = self.factors(product) else { return };
                let other = self.operand(other);
                let vectors = [y, other].map(Value::is_vector);
                return self.push(Code::SumMulAdd(vectors), result, vec![x, y, other]);
            }
            let operands = vec![self.operand(b), self.operand(c)];
            return self.push(Code::SumMul, result, operands);
        }
        let operand = self.operand(a);
        if operand.is_vector() {
            return self.push(Code::Reduce(reduction), result, vec![operand]);
        }
        // A single number for all elements.
        let filled = self.chunk();
        self.push(Code::Fill, filled, vec![operand]);
        self.push(Code::Reduce(reduction), result, vec![filled]);
    }

    fn elementwise(&mut self, id: Id) {
        match *self.graph().op(id) {
            Op::Unary(operation @ (Unary::Sin | Unary::Cos), a) => self.wave(id, operation, a),
            Op::Unary(operation, a) => {
                let operands = vec![self.operand(a)];
                let result = self.result(id);
                self.push(Code::Unary(operation), result, operands);
            }
            Op::Binary(operation, a, b) => self.binary(id, operation, self.planner.itself(a), self.planner.itself(b)),
            Op::SelectLess(operands) => {
                let operands = operands.map(|operand| self.operand(operand));
                let result = self.result(id);
                self.push(Code::SelectLess(operands.map(Value::is_vector)), result, operands.to_vec());
            }
            _ => {}
        }
    }

    /// The sine and the cosine of the same operand come together.
    fn wave(&mut self, id: Id, operation: Unary, a: Id) {
        let a = self.planner.itself(a);
        let (code, operands) = match *self.graph().op(a) {
            Op::Binary(Binary::Multiply, b, k) if self.planner.absorbed[a.index()] => {
                let turns = self.graph().constant(k).and_then(half_turns).unwrap_or(f64::NAN);
                let turns = Value::Scalar(self.planner.scalar(turns));
                (Code::SinCosPi, vec![self.operand(b), turns])
            }
            _ if self.planner.magnitudes[a.index()] <= NEAR => (Code::SinCosNear, vec![self.operand(a)]),
            _ => (Code::SinCos, vec![self.operand(a)]),
        };
        let partner = self.planner.partner(id).filter(|partner| {
            self.planner.stages[partner.index()] == self.stage && self.planner.kinds[partner.index()].is_some()
        });
        let own = self.result(id);
        let other = partner.map(|partner| self.result(partner));
        let (result, second) = match operation {
            Unary::Sin => (own, other),
            _ => (other.unwrap_or_else(|| self.chunk()), Some(own)),
        };
        self.drafts.push(Draft { code, result, second, operands, extra: 0, count: 0 });
    }

    /// The factors of a product that the instruction of its user takes in.
    fn factors(&mut self, id: Id) -> Option<[Value; 2]> {
        if !self.planner.absorbed[id.index()] {
            return None;
        }
        let Op::Binary(_, a, b) = *self.graph().op(id) else { return None };
        let (a, b) = (self.operand(a), self.operand(b));
        Some(if a.is_vector() { [a, b] } else { [b, a] })
    }

    fn binary(&mut self, id: Id, operation: Binary, a: Id, b: Id) {
        use Code::*;
        let fused = match operation {
            Binary::Add => match self.factors(a) {
                Some(factors) => Some((factors, b, [MulAddVVV, MulAddVVS, MulAddVSV, MulAddVSS])),
                None => self.factors(b).map(|factors| (factors, a, [MulAddVVV, MulAddVVS, MulAddVSV, MulAddVSS])),
            },
            Binary::Subtract => match self.factors(a) {
                Some(factors) => Some((factors, b, [MulSubVVV, MulSubVVS, MulSubVSV, MulSubVSS])),
                None => self.factors(b).map(|factors| (factors, a, [SubMulVVV, SubMulVVS, SubMulVSV, SubMulVSS])),
            },
            Binary::Multiply => {
                self.factors(a).map(|factors| (factors, b, [MulMulVVS, MulMulVVS, MulMulVSS, MulMulVSS]))
            }
            _ => None,
        };
        if let Some(([a, b], c, codes)) = fused {
            let c = self.operand(c);
            let code = codes[2 * usize::from(!b.is_vector()) + usize::from(!c.is_vector())];
            let result = self.result(id);
            return self.push(code, result, vec![a, b, c]);
        }
        let (a, b) = (self.operand(a), self.operand(b));
        let kinds = [a.is_vector(), b.is_vector()];
        let (code, operands) = match (operation, kinds) {
            (Binary::Power, kinds) => (Power(kinds), [a, b]),
            (Binary::Add, [true, true]) => (AddVV, [a, b]),
            (Binary::Add, [true, false]) => (AddVS, [a, b]),
            (Binary::Add, [false, _]) => (AddVS, [b, a]),
            (Binary::Subtract, [true, true]) => (SubVV, [a, b]),
            (Binary::Subtract, [true, false]) => (SubVS, [a, b]),
            (Binary::Subtract, [false, _]) => (SubSV, [a, b]),
            (Binary::Multiply, [true, true]) => (MulVV, [a, b]),
            (Binary::Multiply, [true, false]) => (MulVS, [a, b]),
            (Binary::Multiply, [false, _]) => (MulVS, [b, a]),
            (Binary::Divide, [true, true]) => (DivVV, [a, b]),
            (Binary::Divide, [true, false]) => (DivVS, [a, b]),
            (Binary::Divide, [false, _]) => (DivSV, [a, b]),
            (Binary::Min, [true, true]) => (MinVV, [a, b]),
            (Binary::Min, [true, false]) => (MinVS, [a, b]),
            (Binary::Min, [false, _]) => (MinVS, [b, a]),
            (Binary::Max, [true, true]) => (MaxVV, [a, b]),
            (Binary::Max, [true, false]) => (MaxVS, [a, b]),
            (Binary::Max, [false, _]) => (MaxVS, [b, a]),
        };
        let result = self.result(id);
        self.push(code, result, operands.to_vec());
    }

    /// What a node is read by as a whole, in memory.
    fn whole_operand(&mut self, id: Id) -> Value {
        let id = self.planner.itself(id);
        match self.planner.kind(id) {
            Kind::Scalar => {
                let number = self.graph().constant(id).unwrap_or(f64::NAN);
                Value::Scalar(self.planner.scalar(number))
            }
            Kind::Constants => {
                let place = Value::Memory { node: id, start: 0, one: false };
                if !self.found.contains_key(&id) {
                    self.found.insert(id, place);
                    self.constants(id, place);
                }
                place
            }
            _ => {
                let (node, start) = self.planner.source(id);
                Value::Memory { node, start, one: false }
            }
        }
    }

    /// The same, apart from a constant factor.
    fn scaled_operand(&mut self, id: Id) -> [Value; 2] {
        let id = self.planner.itself(id);
        match *self.graph().op(id) {
            Op::Binary(_, a, factor) if self.planner.absorbed[id.index()] => {
                [a, factor].map(|of| self.whole_operand(of))
            }
            _ => [self.whole_operand(id), Value::Scalar(self.planner.scalar(1.0))],
        }
    }

    /// Writes what computes a whole vector.
    fn whole(&mut self, id: Id) {
        let len = self.planner.len(id);
        let place = |start: usize| Value::Memory { node: id, start, one: false };
        let push = |writer: &mut Self, code, start, operands: Vec<Value>, extra: usize, count: usize| {
            writer.drafts.push(Draft {
                code,
                result: place(start),
                second: None,
                operands,
                extra: extra as u32,
                count,
            });
        };
        match self.graph().op(id).clone() {
            Op::Data(_) => self.constants(id, place(0)),
            Op::Gather(a, _) => {
                let a = self.whole_operand(a);
                push(self, Code::Fill, 0, vec![a], 0, len);
            }
            Op::Scatter { base, parts } => {
                let settled = |writer: &Self, part: Id| writer.planner.within.contains_key(&part);
                match base {
                    Some(base) if settled(self, base) => {}
                    Some(base) => {
                        let base = self.whole_operand(base);
                        push(self, Code::Copy, 0, vec![base], 0, len);
                    }
                    None => {
                        // What is there already, and zeros before and after.
                        let there = parts.iter().find_map(|(part, _)| {
                            let &(_, start) = self.planner.within.get(part)?;
                            Some(start..start + self.planner.len(*part))
                        });
                        let there = there.unwrap_or(0..0);
                        for (start, end) in [(0, there.start), (there.end, len)] {
                            if start < end {
                                push(self, Code::Zero, start, vec![], 0, end - start);
                            }
                        }
                    }
                }
                for (part, indices) in parts {
                    if settled(self, part) {
                        continue;
                    }
                    let (count, [operand, factor]) = (self.planner.len(part), self.scaled_operand(part));
                    let operands = vec![operand, factor];
                    match indices {
                        Indices::Slice { start, step: 1 } => push(self, Code::AddOnto, start, operands, 0, count),
                        indices => {
                            let list = self.planner.list(&indices, count);
                            push(self, Code::Scatter, 0, operands, list as usize, count);
                        }
                    }
                }
            }
            Op::Concat(parts) => {
                let mut start = 0;
                for part in parts {
                    let count = self.planner.len(part);
                    if self.planner.within.get(&part) != Some(&(id, start)) {
                        let operand = self.whole_operand(part);
                        push(self, Code::Copy, start, vec![operand], 0, count);
                    }
                    start += count;
                }
            }
            Op::Cumulate { of, reverse } => {
                let of = self.whole_operand(of);
                push(self, if reverse { Code::CumulateReverse } else { Code::Cumulate }, 0, vec![of], 0, len);
            }
            Op::Others(of) => {
                let of = self.whole_operand(of);
                push(self, Code::Others, 0, vec![of], 0, len);
            }
            Op::SumRows { of, columns } => {
                let of = self.planner.itself(of);
                match *self.graph().op(of) {
                    Op::Binary(_, a, b) if self.planner.absorbed[of.index()] => {
                        let operands = vec![self.whole_operand(a), self.whole_operand(b)];
                        push(self, Code::SumRowsMul, 0, operands, columns, len);
                    }
                    _ => {
                        let of = self.whole_operand(of);
                        push(self, Code::SumRows, 0, vec![of], columns, len);
                    }
                }
            }
            Op::SumColumns { of, columns } => {
                let rows = self.planner.len(of) / columns;
                let of = self.whole_operand(of);
                push(self, Code::SumColumns, 0, vec![of], columns, rows);
            }
            Op::Product { matrix, rows, columns, of } => {
                let blocks = self.planner.len(of) / columns;
                let of = self.whole_operand(of);
                let number = self.planner.matrices.len();
                let known = self.planner.matrices.iter().position(|known| *known == (matrix.clone(), rows, columns));
                if known.is_none() {
                    self.planner.matrices.push((matrix, rows, columns));
                }
                push(self, Code::Product, 0, vec![of], known.unwrap_or(number), blocks);
            }
            Op::Input
            | Op::Scalar(_)
            | Op::Unary(..)
            | Op::Binary(..)
            | Op::SelectLess(_)
            | Op::Reduce(..)
            | Op::Detach(_) => {}
        }
    }
}
