//! The text of a source.

use super::CudaSource;
use super::plan::{Place, Planner, Root, is_whole};
use crate::graph::operation::{Binary, Reduction, Unary, half_turns};
use crate::graph::{Graph, Id, Indices, Op};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// The C functions that stand for operations.
const FUNCTIONS: &str = include_str!("functions.cu");

/// The source of a plan.
pub(super) fn source(planner: Planner<'_>) -> CudaSource {
    let phases = planner.roots();
    let mut writer = Writer {
        planner,
        phase: 0,
        text: FUNCTIONS.to_owned(),
        depth: 0,
        scopes: Vec::new(),
        names: 0,
        data: Vec::new(),
        constants: HashMap::new(),
        lists: HashMap::new(),
    };
    let work = writer.planner.work;
    writer.line(format_args!("#define WORK (N * {work})"));
    writer.open("DEVICE void evaluate(Given given, const REAL *x, REAL *gradient, REAL *values, REAL *work)");
    writer.line("const REAL *data = given.couplings;");
    for (phase, roots) in phases.iter().enumerate() {
        writer.phase = phase;
        writer.phase(roots);
        writer.line("SYNC();");
    }
    writer.close();
    CudaSource { text: writer.text.into(), work, data: writer.data }
}

struct Writer<'a> {
    planner: Planner<'a>,
    phase: usize,
    text: String,
    depth: usize,
    /// Variables by what they hold: a node at an index, or an index; those of the innermost block last.
    scopes: Vec<HashMap<(Option<Id>, String), String>>,
    /// The variables so far.
    names: usize,
    data: Vec<f64>,
    /// The places of constants in the data.
    constants: HashMap<Id, usize>,
    /// The places of lists in the data.
    lists: HashMap<Indices, usize>,
}

/// The index of a single number.
const ONLY: &str = "0";

impl<'a> Writer<'a> {
    fn graph(&self) -> &'a Graph {
        self.planner.graph
    }

    fn line(&mut self, text: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{:1$}{text}", "", 2 * self.depth);
    }

    fn open(&mut self, head: impl std::fmt::Display) {
        self.line(format_args!("{head} {{"));
        self.depth += 1;
        self.scopes.push(HashMap::new());
    }

    fn close(&mut self) {
        self.scopes.pop();
        self.depth -= 1;
        self.line("}");
    }

    fn name(&mut self, prefix: char) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// The variable that holds `id` at `index`, or the index `index`.
    fn found(&self, id: Option<Id>, index: &str) -> Option<String> {
        let key = (id, index.to_owned());
        self.scopes.iter().rev().find_map(|scope| scope.get(&key)).cloned()
    }

    /// Notes in the innermost block that a variable holds something.
    fn hold(&mut self, id: Option<Id>, index: &str, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert((id, index.to_owned()), name.to_owned());
        }
    }

    /// The numbers of a constant, as an offset into the data.
    fn constant(&mut self, id: Id) -> usize {
        let graph = self.graph();
        *self.constants.entry(id).or_insert_with(|| {
            self.data.extend(graph.known(id).unwrap_or_default());
            self.data.len() - graph.len(id)
        })
    }

    /// A list of places, as an offset into the data: whole numbers that are exact in any precision.
    fn list(&mut self, indices: &Indices, len: usize) -> usize {
        if let Some(&place) = self.lists.get(indices) {
            return place;
        }
        let place = self.data.len();
        self.data.extend((0..len).map(|k| indices.at(k) as f64));
        self.lists.insert(indices.clone(), place);
        place
    }

    /// The elements of a list of `count`, sorted by their place among `len`. Gives the offsets of two tables: where each place's elements begin,
    /// with the end of the last, and the elements.
    fn sources(&mut self, indices: &Indices, count: usize, len: usize) -> [usize; 2] {
        let mut elements: Vec<(usize, usize)> = (0..count).map(|k| (indices.at(k), k)).collect();
        elements.sort_unstable();
        let first = self.data.len();
        self.data.extend((0..=len).map(|place| elements.partition_point(|&(of, _)| of < place) as f64));
        self.data.extend(elements.iter().map(|&(_, k)| k as f64));
        [first, first + len + 1]
    }

    /// Writes a phase: a loop over all elements for each length, and one for each node that takes a whole vector.
    fn phase(&mut self, roots: &[Root]) {
        let mut loops: BTreeMap<usize, Vec<Root>> = BTreeMap::new();
        for &root in roots {
            let len = match root {
                Root::Value => 1,
                Root::Gradient => self.planner.dimension,
                Root::Kept(id) => match *self.graph().op(id) {
                    Op::Reduce(_, of) => self.graph().len(of),
                    ref op if is_whole(op) => {
                        self.whole(id);
                        continue;
                    }
                    _ => self.graph().len(id),
                },
            };
            loops.entry(len).or_default().push(root);
        }
        for (len, mut roots) in loops {
            // The gradient may take the place of what the others read.
            roots.sort_unstable();
            self.elements(len, &roots);
        }
    }

    /// Writes the loop that computes `roots` for each of `len` elements of all points.
    fn elements(&mut self, len: usize, roots: &[Root]) {
        let reductions: Vec<(Id, Reduction)> = roots
            .iter()
            .filter_map(|root| match *root {
                Root::Kept(id) => match *self.graph().op(id) {
                    Op::Reduce(reduction, _) => Some((id, reduction)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        let mut sums = HashMap::new();
        if len == 1 {
            self.open("FOR_EACH(row, N)");
        } else if reductions.is_empty() {
            self.open(format_args!("FOR_EACH(item, N * {len})"));
            self.line(format_args!("const int row = item / {len}, k = item % {len};"));
        } else {
            self.open("FOR_EACH(item, N * PARTS)");
            self.line("const int row = item / PARTS;");
            for &(id, reduction) in &reductions {
                let (name, start) = (self.name('s'), self.literal(reduction.start()));
                self.line(format_args!("REAL {name} = {start};"));
                sums.insert(id, name);
            }
            for &root in roots {
                self.numbers(root);
            }
            self.open(format_args!("for (int k = item % PARTS; k < {len}; k += PARTS)"));
        }
        let k = if len == 1 { ONLY } else { "k" };
        for &root in roots {
            match root {
                Root::Value => {
                    let value = self.at(self.planner.value, ONLY);
                    self.line(format_args!("values[row] = {value};"));
                }
                Root::Gradient => {
                    let slope = self.at(self.planner.slope, k);
                    self.line(format_args!("gradient[row * {len} + {k}] = {slope};"));
                }
                Root::Kept(id) => match *self.graph().op(id) {
                    Op::Reduce(reduction, of) => {
                        let (value, sum) = (self.at(of, k), &sums[&id]);
                        let step = match reduction {
                            Reduction::Sum => format!("{sum} += {value};"),
                            Reduction::Product => format!("{sum} *= {value};"),
                            Reduction::Min => format!("{sum} = smaller({sum}, {value});"),
                            Reduction::Max => format!("{sum} = larger({sum}, {value});"),
                        };
                        self.line(step);
                    }
                    _ => {
                        let (value, place) = (self.at(id, k), self.element(id, "row", k));
                        self.line(format_args!("{place} = {value};"));
                    }
                },
            }
        }
        self.close();
        if !reductions.is_empty() {
            for (id, ..) in reductions {
                let base = self.base(id);
                self.line(format_args!("{base}[item] = {};", sums[&id]));
            }
            self.close();
        }
    }

    /// Computes the single numbers that a root needs, outside of the loop over its elements.
    fn numbers(&mut self, root: Root) {
        let start = match root {
            Root::Value => self.planner.value,
            Root::Gradient => self.planner.slope,
            Root::Kept(id) => id,
        };
        let (mut open, mut seen) = (vec![start], HashSet::new());
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if self.graph().len(id) == 1 && id != start {
                self.at(id, ONLY);
            } else if id == start || !self.planner.is_there(id, self.phase) {
                open.extend(self.planner.operands_here(id));
            }
        }
    }

    /// The start of a kept node's numbers.
    fn base(&self, id: Id) -> String {
        match self.planner.places.get(&id) {
            Some(Place::Work(start)) => format!("(work + N * {start})"),
            _ => "gradient".to_owned(),
        }
    }

    /// An element of a kept node.
    fn element(&self, id: Id, row: &str, index: &str) -> String {
        let len = self.graph().len(id);
        if len == 1 {
            format!("{}[{row}]", self.base(id))
        } else {
            format!("{}[{row} * {len} + {index}]", self.base(id))
        }
    }

    /// A number; one that is not finite is data.
    fn literal(&mut self, number: f64) -> String {
        if number.is_finite() {
            return format!("C({number:e})");
        }
        self.data.push(number);
        format!("data[{}]", self.data.len() - 1)
    }

    /// The index of a node's element: [`ONLY`] where the node is a single number.
    fn own<'i>(&self, id: Id, index: &'i str) -> &'i str {
        if self.graph().len(id) == 1 { ONLY } else { index }
    }

    /// The text for element `index` of a node at point `row`. The lines that it needs are written before.
    fn at(&mut self, id: Id, index: &str) -> String {
        let index = self.own(id, index);
        // Operands that are used element by element come first, in their order: expressions may be deep.
        let (mut open, mut needed) = (vec![id], HashSet::new());
        while let Some(id) = open.pop() {
            let own = self.own(id, index);
            if needed.contains(&id) || self.found(Some(id), own).is_some() {
                continue;
            }
            needed.insert(id);
            if !self.planner.is_there(id, self.phase) {
                open.extend(self.planner.operands_here(id));
            }
        }
        let mut needed: Vec<Id> = needed.into_iter().collect();
        needed.sort_unstable();
        for &needed in &needed {
            let own = self.own(needed, index);
            if self.found(Some(needed), own).is_none() {
                let value = self.node(needed, own);
                self.hold(Some(needed), own, &value);
            }
        }
        self.found(Some(id), index).unwrap_or_default()
    }

    /// A variable with this value.
    fn variable(&mut self, value: impl std::fmt::Display) -> String {
        let name = self.name('v');
        self.line(format_args!("const REAL {name} = {value};"));
        name
    }

    /// A variable with this index, where it is not one already.
    fn index(&mut self, value: String) -> String {
        if value.chars().all(|c| c.is_ascii_alphanumeric()) {
            return value;
        }
        if let Some(name) = self.found(None, &value) {
            return name;
        }
        let name = self.name('p');
        self.line(format_args!("const int {name} = {value};"));
        self.hold(None, &value, &name);
        name
    }

    /// Writes the line that computes element `index` of a node whose operands at the same index are there.
    fn node(&mut self, id: Id, index: &str) -> String {
        let graph = self.graph();
        let op = graph.op(id);
        if self.planner.is_there(id, self.phase) {
            let value = match op {
                Op::Reduce(reduction, _) => {
                    let function = match reduction {
                        Reduction::Sum => "sum_parts",
                        Reduction::Product => "multiply_parts",
                        Reduction::Min => "smallest_part",
                        Reduction::Max => "largest_part",
                    };
                    format!("{function}({} + row * PARTS)", self.base(id))
                }
                _ => self.element(id, "row", index),
            };
            return self.variable(value);
        }
        match op {
            Op::Input => {
                let dimension = graph.len(id);
                self.variable(format_args!("U(row * {dimension} + {index})"))
            }
            Op::Scalar(bits) => self.literal(f64::from_bits(*bits)),
            Op::Data(_) => {
                let start = self.constant(id);
                self.variable(format_args!("data[{start} + {index}]"))
            }
            Op::Unary(operation @ (Unary::Sin | Unary::Cos), a) => self.wave(*operation, *a, index),
            Op::Unary(operation, a) => {
                let a = self.at(*a, index);
                let function = function(*operation);
                self.variable(format_args!("{function}({a})"))
            }
            Op::Binary(operation, a, b) => {
                let (a, b) = (self.at(*a, index), self.at(*b, index));
                self.variable(match operation {
                    Binary::Add => format!("{a} + {b}"),
                    Binary::Subtract => format!("{a} - {b}"),
                    Binary::Multiply => format!("{a} * {b}"),
                    Binary::Divide => format!("{a} / {b}"),
                    Binary::Power => format!("MATH(pow)({a}, {b})"),
                    Binary::Min => format!("smaller({a}, {b})"),
                    Binary::Max => format!("larger({a}, {b})"),
                })
            }
            Op::SelectLess(operands) => {
                let [a, b, then, otherwise] = operands.map(|operand| self.at(operand, index));
                self.variable(format_args!("{a} < {b} ? {then} : {otherwise}"))
            }
            Op::Gather(a, indices) => {
                if graph.len(*a) == 1 {
                    return self.at(*a, ONLY);
                }
                let place = match indices {
                    Indices::Slice { start, .. } if index == ONLY => start.to_string(),
                    Indices::Slice { start: 0, step: 1 } => index.to_owned(),
                    Indices::Slice { start, step: 1 } => format!("{start} + {index}"),
                    Indices::Slice { start, step } => format!("{start} + ({step}) * {index}"),
                    Indices::Repeat { each } => format!("{index} / {each}"),
                    Indices::Tile { period } => format!("{index} % {period}"),
                    Indices::List(_) => {
                        let list = self.list(indices, graph.len(id));
                        format!("(int)data[{list} + {index}]")
                    }
                };
                let place = self.index(place);
                self.at(*a, &place)
            }
            Op::Scatter { base, parts } => {
                let start = base.map_or_else(|| "C(0)".to_owned(), |base| self.at(base, index));
                let sum = self.name('s');
                self.line(format_args!("REAL {sum} = {start};"));
                for (part, indices) in parts {
                    self.scattered(&sum, *part, indices, graph.len(id), index);
                }
                sum
            }
            Op::Concat(parts) => {
                let sum = self.name('s');
                self.line(format_args!("REAL {sum} = C(0);"));
                let mut start = 0;
                for part in parts {
                    self.scattered(&sum, *part, &Indices::Slice { start, step: 1 }, graph.len(id), index);
                    start += graph.len(*part);
                }
                sum
            }
            Op::Detach(a) => self.at(*a, index),
            // In memory, all of them: see `is_whole`.
            Op::Reduce(..)
            | Op::SumRows { .. }
            | Op::SumColumns { .. }
            | Op::Cumulate { .. }
            | Op::Others(_)
            | Op::Product { .. } => String::new(),
        }
    }

    /// Adds to `sum` the elements of `part` that belong to place `index` of `len`.
    fn scattered(&mut self, sum: &str, part: Id, indices: &Indices, len: usize, index: &str) {
        let count = self.graph().len(part);
        if let &Indices::Slice { start, step } = indices {
            let distance = if start == 0 { index.to_owned() } else { format!("{index} - {start}") };
            let distance = self.index(distance);
            let (place, whole) = match step {
                1 => (distance, String::new()),
                _ => {
                    let place = self.index(format!("{distance} / ({step})"));
                    let whole = format!("{distance} % ({step}) == 0 && ");
                    (place, whole)
                }
            };
            self.open(format_args!("if ({whole}{place} >= 0 && {place} < {count})"));
            let value = self.at(part, &place);
            self.line(format_args!("{sum} += {value};"));
            return self.close();
        }
        let [first, elements] = self.sources(indices, count, len);
        self.open(format_args!(
            "for (int e = (int)data[{first} + {index}]; e < (int)data[{first} + 1 + {index}]; e++)"
        ));
        let name = self.name('p');
        self.line(format_args!("const int {name} = (int)data[{elements} + e];"));
        let value = self.at(part, &name);
        self.line(format_args!("{sum} += {value};"));
        self.close();
    }

    /// The sine or the cosine of a node; where the graph has both, they come together.
    fn wave(&mut self, operation: Unary, a: Id, index: &str) -> String {
        let (both, argument) = match *self.graph().op(a) {
            Op::Binary(Binary::Multiply, b, factor) => match self.graph().constant(factor).and_then(half_turns) {
                Some(turns) => {
                    let b = self.at(b, index);
                    ("SIN_COS_PI", if turns == 1.0 { b } else { format!("C({turns:e}) * {b}") })
                }
                None => ("SIN_COS", self.at(a, index)),
            },
            _ => ("SIN_COS", self.at(a, index)),
        };
        let partner = if operation == Unary::Sin { Unary::Cos } else { Unary::Sin };
        let partner = self.graph().find(Op::Unary(partner, a), self.graph().len(a));
        if both == "SIN_COS" && partner.is_none() {
            let function = function(operation);
            return self.variable(format_args!("{function}({argument})"));
        }
        let names = [self.name('v'), self.name('v')];
        self.line(format_args!("REAL {}, {};", names[0], names[1]));
        self.line(format_args!("{both}({argument}, &{}, &{});", names[0], names[1]));
        let [own, other] = if operation == Unary::Sin { [0, 1] } else { [1, 0] };
        if let Some(partner) = partner
            && !self.planner.is_there(partner, self.phase)
        {
            self.hold(Some(partner), index, &names[other]);
        }
        names[own].clone()
    }

    /// Writes the loop of a node that takes a whole vector.
    fn whole(&mut self, id: Id) {
        let graph = self.graph();
        let len = graph.len(id);
        let result = self.element(id, "row", "k");
        match *graph.op(id) {
            Op::SumRows { of, columns } => self.sums(id, of, columns, &format!("k * {columns} + term")),
            Op::SumColumns { of, columns } => {
                self.sums(id, of, graph.len(of) / columns, &format!("term * {len} + k"));
            }
            Op::Cumulate { of, reverse } => {
                self.open("FOR_EACH(row, N)");
                self.line("REAL sum = 0;");
                self.open(if reverse {
                    format!("for (int k = {len} - 1; k >= 0; k--)")
                } else {
                    format!("for (int k = 0; k < {len}; k++)")
                });
                let value = self.at(of, "k");
                self.line(format_args!("sum += {value};"));
                self.line(format_args!("{result} = sum;"));
                self.close();
                self.close();
            }
            Op::Others(of) => {
                self.open("FOR_EACH(row, N)");
                self.line("REAL before = 1, after = 1;");
                self.open(format_args!("for (int k = 0; k < {len}; k++)"));
                let value = self.at(of, "k");
                self.line(format_args!("{result} = before;"));
                self.line(format_args!("before *= {value};"));
                self.close();
                self.open(format_args!("for (int k = {len} - 1; k >= 0; k--)"));
                let value = self.at(of, "k");
                self.line(format_args!("{result} *= after;"));
                self.line(format_args!("after *= {value};"));
                self.close();
                self.close();
            }
            Op::Product { ref matrix, rows, columns, of } => {
                // By columns: threads side by side take rows side by side.
                let start = self.data.len();
                self.data.extend(matrix.transposed(rows, columns).0.iter());
                self.open(format_args!("FOR_EACH(item, (N + POINTS - 1) / POINTS * {len})"));
                self.line(format_args!("const int k = item % {len}, first = item / {len} * POINTS;"));
                self.line(format_args!("const int matrix_row = k % {rows}, block = k / {rows} * {columns};"));
                self.line("REAL sums[POINTS] = {0};");
                self.open(format_args!("for (int term = 0; term < {columns}; term++)"));
                self.line(format_args!("const REAL factor = data[{start} + term * {rows} + matrix_row];"));
                self.open("for (int point = 0; point < POINTS; point++)");
                self.line("const int row = first + point < N ? first + point : N - 1;");
                let place = self.index("block + term".to_owned());
                let value = self.at(of, &place);
                self.line(format_args!("sums[point] += factor * {value};"));
                self.close();
                self.close();
                self.line("for (int point = 0; point < POINTS && first + point < N; point++)");
                let result = self.element(id, "(first + point)", "k");
                self.line(format_args!("  {result} = sums[point];"));
                self.close();
            }
            _ => {}
        }
    }

    /// The sums of `terms` elements of `of` each, term `term` of sum `k` being at `place`.
    fn sums(&mut self, id: Id, of: Id, terms: usize, place: &str) {
        let len = self.graph().len(id);
        self.open(format_args!("FOR_EACH(item, N * {len})"));
        self.line(format_args!("const int row = item / {len}, k = item % {len};"));
        self.line("REAL sum = 0;");
        self.open(format_args!("for (int term = 0; term < {terms}; term++)"));
        let place = self.index(place.to_owned());
        let value = self.at(of, &place);
        self.line(format_args!("sum += {value};"));
        self.close();
        let result = self.element(id, "row", "k");
        self.line(format_args!("{result} = sum;"));
        self.close();
    }
}

/// The function of C, or of `functions.cu`, that an operation is.
fn function(operation: Unary) -> &'static str {
    match operation {
        Unary::Reciprocal => "reciprocal",
        Unary::Sqrt => "SQRT",
        Unary::RootSlope => "root_slope",
        Unary::Exp => "EXP",
        Unary::ExpM1 => "EXPM1",
        Unary::Ln => "MATH(log)",
        Unary::Ln1p => "MATH(log1p)",
        Unary::Sin => "MATH(sin)",
        Unary::Cos => "MATH(cos)",
        Unary::Tan => "MATH(tan)",
        Unary::Asin => "MATH(asin)",
        Unary::Acos => "MATH(acos)",
        Unary::Atan => "MATH(atan)",
        Unary::Sinh => "MATH(sinh)",
        Unary::Cosh => "MATH(cosh)",
        Unary::Tanh => "MATH(tanh)",
        Unary::Abs => "ABS",
        Unary::Sign => "sign",
        Unary::Floor => "MATH(floor)",
        Unary::Softplus => "softplus",
        Unary::Sigmoid => "sigmoid",
        Unary::Erf => "MATH(erf)",
    }
}
