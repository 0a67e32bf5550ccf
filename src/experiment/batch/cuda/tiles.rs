//! The tiles of the network's products: how many rows and columns of a result a thread keeps in registers.
//!
//! A tile of r × c takes r + c numbers from memory for r c products. A multiprocessor of an H100 multiplies and adds 128 pairs of numbers in
//! a cycle (64 in double precision), and serves one access of a warp to shared memory, if no two of its threads want different numbers of
//! one of the 32 banks. So the larger the tile the better, until too few threads have one or registers run out.

use super::block::WARP;

/// The banks of shared memory, of four bytes each.
const BANKS: usize = 32;

/// The bytes of a bank.
const BANK: usize = 4;

/// The largest side of a tile.
pub(super) const MOST_SIDE: usize = 8;

/// The registers, of four bytes each, that a tile's sums may take of a thread's 80.
const REGISTERS: usize = 36;

/// Warps that a multiprocessor issues an instruction of, in a cycle.
const ISSUED: f64 = 4.0;

/// The share of the latency of a phase that other blocks do not hide.
const EXPOSED: f64 = 0.1;

/// The rows and columns of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
}

/// A product of matrices in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub rows: usize,
    pub columns: usize,
    pub terms: usize,
    /// The distance of two rows of the left matrix.
    pub left: usize,
    /// The distance of two columns of the right matrix.
    pub right: usize,
}

/// The three products of a layer, for `n` points: forward, the gradient in the inputs, and that in the weights, each with its tile for scalars of
/// `scalar` bytes.
pub(super) fn of_layer(n: usize, (inputs, outputs): (usize, usize), scalar: usize) -> [(Product, Tile); 3] {
    [
        Product { rows: n, columns: outputs, terms: inputs, left: inputs, right: 1 },
        Product { rows: n, columns: inputs, terms: outputs, left: outputs, right: outputs },
        Product { rows: inputs, columns: outputs, terms: n, left: 1, right: 1 },
    ]
    .map(|product| (product, product.tile(scalar)))
}

impl Product {
    /// The best tile for scalars of `scalar` bytes.
    fn tile(self, scalar: usize) -> Tile {
        let sides = |of: usize| 1..=MOST_SIDE.min(of);
        let tiles = sides(self.rows).flat_map(|rows| sides(self.columns).map(move |columns| Tile { rows, columns }));
        let fit = tiles.filter(|tile| tile.rows * tile.columns * scalar / BANK <= REGISTERS);
        let cost = |tile: &Tile| self.cycles(*tile, scalar) + EXPOSED * self.latency(*tile);
        fit.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(Tile { rows: 1, columns: 1 })
    }

    /// Cycles of a multiprocessor that the product takes, if it is busy with it and others all the time.
    pub(super) fn cycles(self, tile: Tile, scalar: usize) -> f64 {
        let Tile { rows, columns } = tile;
        let warps = (self.rows.div_ceil(rows) * self.columns.div_ceil(columns)).div_ceil(WARP) as f64;
        // Double precision takes two issues.
        let arithmetic = (rows * columns * scalar / BANK + rows + columns) as f64 / ISSUED;
        let accesses = (self.accesses(tile, scalar)) as f64;
        warps * self.terms as f64 * arithmetic.max(accesses)
    }

    /// Cycles that one warp takes for its tiles.
    fn latency(self, Tile { rows, columns }: Tile) -> f64 {
        self.terms as f64 * (rows * columns + rows + columns) as f64
    }

    /// The cycles in which shared memory gives the first warp what it takes for one term.
    fn accesses(self, tile: Tile, scalar: usize) -> usize {
        let across = self.columns.div_ceil(tile.columns);
        let all = across * self.rows.div_ceil(tile.rows);
        let threads = 0..WARP.min(all);
        let left = (0..tile.rows).map(|r| {
            let at = |thread: usize| (thread / across * tile.rows + r).min(self.rows - 1) * self.left;
            cycles_of(threads.clone().map(at), scalar)
        });
        let right = (0..tile.columns).map(|c| {
            let at = |thread: usize| (thread % across * tile.columns + c).min(self.columns - 1) * self.right;
            cycles_of(threads.clone().map(at), scalar)
        });
        left.sum::<usize>() + right.sum::<usize>()
    }
}

/// The cycles of one access to the scalars at `places`: as many as the busiest bank has different words to give.
fn cycles_of(places: impl Iterator<Item = usize>, scalar: usize) -> usize {
    let mut words: Vec<usize> = places.collect();
    words.sort_unstable();
    words.dedup();
    let per_bank = scalar / BANK;
    let mut banks = [0; BANKS];
    words.iter().for_each(|word| banks[word * per_bank % BANKS] += 1);
    banks.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_of_banks_are_counted() {
        assert_eq!(cycles_of(0..32, 4), 1);
        // All threads want the same number.
        assert_eq!(cycles_of(std::iter::repeat_n(7, 32), 4), 1);
        assert_eq!(cycles_of((0..32).map(|thread| 2 * thread), 4), 2);
        assert_eq!(cycles_of((0..32).map(|thread| 32 * thread), 4), 32);
        assert_eq!(cycles_of((0..32).map(|thread| 33 * thread), 4), 1);
        assert_eq!(cycles_of(0..32, 8), 2);
        assert_eq!(cycles_of((0..32).map(|thread| 2 * thread), 8), 4);
    }

    #[test]
    fn tiles_are_better_than_the_smallest_and_fit_into_registers() {
        for scalar in [4, 8] {
            for layer in [(10, 10), (10, 50), (50, 10), (1, 1), (3, 1), (64, 64), (10, 500)] {
                for (product, tile) in of_layer(50, layer, scalar) {
                    let Tile { rows, columns } = tile;
                    assert!(
                        rows <= product.rows.min(MOST_SIDE) && columns <= product.columns.min(MOST_SIDE),
                        "{product:?}, {tile:?}"
                    );
                    assert!(rows * columns * scalar / BANK <= REGISTERS, "{product:?}, {tile:?}");
                    let smallest = product.cycles(Tile { rows: 1, columns: 1 }, scalar);
                    assert!(product.cycles(tile, scalar) <= smallest, "{product:?}, {tile:?}");
                }
            }
            // Of the paper's output layer every product takes less than half of what tiles of 2 × 2 take.
            for (product, tile) in of_layer(50, (10, 50), scalar) {
                let before = product.cycles(Tile { rows: 2, columns: 2 }, scalar);
                assert!(product.cycles(tile, scalar) < 0.6 * before, "{product:?}, {tile:?}");
            }
        }
    }

    /// Cycles of a multiprocessor for `items` items of `instructions` instructions each, of which double precision takes twice as long.
    fn elementwise(items: usize, instructions: usize, scalar: usize) -> f64 {
        (items.div_ceil(WARP) * instructions * scalar / BANK) as f64 / ISSUED
    }

    /// The table of the module's documentation, for the paper's shape on Rastrigin. Instructions of what is no product are counted by hand, those of
    /// elementary functions as in CUDA's library.
    fn model() -> Vec<String> {
        const N: usize = 50;
        const D: usize = 50;
        let layers = [(10, 10), (10, D)];
        let parameters = 10 * N + layers.iter().map(|(inputs, outputs)| (inputs + 1) * outputs).sum::<usize>();
        let product = |layer: usize, which: usize, scalar: usize| {
            let (product, tile) = of_layer(N, layers[layer], scalar)[which];
            product.cycles(tile, scalar)
        };
        type Cycles<'a> = &'a dyn Fn(usize) -> f64;
        let phases: [(&str, Cycles<'_>, &str); 7] = [
            ("forward, both layers", &|scalar| product(0, 0, scalar) + product(1, 0, scalar), "shared memory"),
            ("squash", &|scalar| elementwise(N * D, 24, scalar), "arithmetic"),
            ("objective", &|scalar| elementwise(N * D, 48, scalar), "arithmetic"),
            ("slopes in y", &|scalar| elementwise(N * D, 8, scalar), "issue"),
            ("backward, output layer", &|scalar| product(1, 1, scalar) + product(1, 2, scalar), "shared memory"),
            ("backward, hidden layer", &|scalar| product(0, 1, scalar) + product(0, 2, scalar), "shared memory"),
            ("step", &|scalar| elementwise(parameters, 8, scalar), "issue"),
        ];
        let mut lines: Vec<String> = phases
            .iter()
            .map(|(name, cycles, limit)| format!("| {name} | {:.0} | {:.0} | {limit} |", cycles(4), cycles(8)))
            .collect();
        let all = |scalar| phases.iter().map(|(_, cycles, _)| cycles(scalar)).sum::<f64>();
        lines.push(format!("| all | {:.0} | {:.0} | |", all(4), all(8)));
        // 132 multiprocessors at 1.755 GHz.
        let pace = |scalar| 132.0 * 1.755e9 / all(scalar) * 1e-6;
        lines.push(format!("| million iterations of a run per second | {:.0} | {:.0} | |", pace(4), pace(8)));
        lines
    }

    /// The table of the Hamiltonian in the module's documentation. In each iteration a block goes once through the couplings: a row of d for each
    /// pair.
    fn hamiltonian() -> Vec<String> {
        const N: usize = 50;
        // Bytes per cycle and multiprocessor.
        const CACHE: f64 = 24.0;
        const MEMORY: f64 = 14.5;
        // POINTS and COLUMNS in `spin_glass.cu`.
        let tile = |scalar| Tile { rows: 5, columns: if scalar == 4 { 5 } else { 2 } };
        let cycles = |d: usize, scalar: usize| {
            let pairs = d * (d + 1) / 2;
            let Tile { rows, columns } = tile(scalar);
            let warps = (N.div_ceil(rows) * d.div_ceil(columns)).div_ceil(WARP);
            // Few threads of a warp differ in their points; neighbors take neighboring columns.
            let accesses = rows + columns * cycles_of(0..WARP, scalar);
            let bytes = (pairs * d * scalar) as f64;
            // 128 pairs of numbers in a cycle, 64 in double precision.
            let arithmetic = (pairs * d * N * scalar) as f64 / (128 * BANK) as f64;
            [arithmetic, (warps * pairs * accesses) as f64, bytes / CACHE, bytes / MEMORY].map(|cycles| cycles * 1e-3)
        };
        [(50, 4), (50, 8), (200, 4), (200, 8)]
            .map(|(d, scalar)| {
                let [arithmetic, shared, cache, memory] = cycles(d, scalar);
                let name = if scalar == 4 { "f32" } else { "f64" };
                format!("| d = {d}, `{name}` | {arithmetic:.0} | {shared:.0} | {cache:.0} | {memory:.0} |")
            })
            .to_vec()
    }

    #[test]
    fn the_model_is_that_of_the_documentation() {
        let (text, lines) = (include_str!("mod.rs"), [model(), hamiltonian()].concat());
        for line in &lines {
            assert!(text.contains(&format!("//! {line}\n")), "{lines:#?}");
        }
    }
}
