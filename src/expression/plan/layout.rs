//! The layout of memory.

use super::draft::{Draft, DraftPass, Value};
use super::schedule::{Kind, Planner};
use super::{Code, Instruction, Matrix, Pass, Place, Program};
use crate::graph::Id;
use crate::graph::operation::Reduction;
use crate::simd::Real;
use crate::simd::matrix::grouped;
use std::collections::HashMap;

/// The most registers for all chunks of a pass: 20 KiB of the widest registers.
const CHUNKS: usize = 320;

/// The fewest and the most registers in a chunk.
const CHUNK: [usize; 2] = [8, 64];

impl Planner<'_> {
    /// Gives out the places: the single numbers first, then the chunks, then everything else. Nothing if something has no place, which would
    /// be a fault of the schedule.
    pub(super) fn place<R: Real>(mut self, mut drafts: Vec<DraftPass>, domain: [f64; 2]) -> Option<Program<R>> {
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
                    *place = at(value)?;
                }
                let result = at(draft.result)?;
                let second = match draft.second {
                    Some(second) => Some(at(second)?),
                    None => None,
                };
                let Draft { code, extra, count, .. } = *draft;
                operations += self.work(draft, pass.len);
                instructions.push(Instruction { code, result, second, operands, extra, count: count as u32 });
            }
            let reductions = instructions[first..].iter().filter_map(|instruction: &Instruction| {
                let reduction = match instruction.code {
                    Code::Reduce(reduction) => reduction,
                    Code::SumMul | Code::SumMulAdd(_) => Reduction::Sum,
                    _ => return None,
                };
                Some((instruction.result.at(0), reduction))
            });
            let reductions = reductions.collect();
            passes.push(Pass {
                len: pass.len,
                chunk,
                whole: pass.whole,
                instructions: first..instructions.len(),
                reductions,
            });
            for node in &ending[number] {
                if let Some(base) = places.remove(node) {
                    memory.give(base, self.len(*node));
                }
            }
        }
        let found = |id: Id| match self.graph.constant(id) {
            Some(number) => self.scalar_places.get(&number.to_bits()).copied(),
            None => {
                let (node, start) = self.source(id);
                places.get(&node).map(|base| base + start)
            }
        };
        let matrices = self.matrices.iter().map(|(data, rows, columns)| Matrix {
            data: grouped(*rows, *columns).map(|(i, j)| R::of(data.0[i * columns + j])).collect(),
            rows: *rows,
            columns: *columns,
        });
        Some(Program {
            dimension: self.dimension,
            domain,
            matrices: matrices.collect(),
            factors: [1.0; 2],
            value: found(value)?,
            gradient: (found(slope)?, usize::from(self.len(slope) > 1)),
            input,
            passes,
            instructions,
            scalars: self.scalars.iter().map(|&value| R::of(value)).collect(),
            constants: self.constants.iter().map(|&value| R::of(value)).collect(),
            lists: self.lists,
            registers: memory.top,
            operations,
            steepest: f64::INFINITY,
        })
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
            Code::AddOnto | Code::SumMul | Code::MulMulVVS | Code::MulMulVSS => 2,
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

/// The memory assigned so far.
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

/// The number of chunks in use at a time, and the chunk of each value.
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
