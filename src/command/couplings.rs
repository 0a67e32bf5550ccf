//! `overparam couplings`

use super::settings::count;
use super::signals;
use anyhow::Result;
use clap::Args;
use overparam::trace::{self, Provenance};
use overparam::{Couplings, Error};
use polars::prelude::{Column, DataFrame};
use std::path::PathBuf;

/// Rows that are held at once.
const PART: usize = 1 << 20;

/// Write the couplings J of the spin glass that belong to a seed.
///
/// The file has one row per triple, d³ in all, with the columns `i`, `j`, `k` (u32, from 0, k fastest) and `coupling` (f64), a
/// standard normal. The Hamiltonian is H = Σ J_ijk s_i s_j s_k / d for spins s on the sphere of radius √d.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct CouplingsCommand {
    /// The seed that they belong to
    #[arg(long, value_parser = count::<u64>)]
    seed: u64,
    /// Dimensions d: spins
    #[arg(long, value_parser = count::<usize>)]
    dimension: usize,
    /// The Parquet file to write
    #[arg(long)]
    output: PathBuf,
}

impl CouplingsCommand {
    pub fn execute(self) -> Result<()> {
        let d = self.dimension;
        if !(1..=Couplings::LARGEST_DIMENSION).contains(&d) {
            let expected = "from 1 to 512 (there are d³ rows)";
            return Err(Error::Setting { name: "the dimension", expected, given: d.to_string() }.into());
        }
        signals::leave_nothing()?;
        let output = trace::prepare(&self.output)?;
        let settings = serde_json::json!({ "seed": self.seed, "dimension": d }).to_string();
        let provenance = Provenance::new(settings).of_table("couplings");
        trace::ensure_same_table(&output, &provenance)?;
        let rows = d.pow(3);
        let mut couplings = Couplings::draw(self.seed, d);
        let parts = (0..rows).step_by(PART).map(|first| {
            let numbers = first..rows.min(first + PART);
            let index = |place: fn(usize, usize) -> usize| -> Vec<u32> {
                numbers.clone().map(|row| place(row, d) as u32).collect()
            };
            let columns = vec![
                Column::new("i".into(), index(|row, d| row / d / d)),
                Column::new("j".into(), index(|row, d| row / d % d)),
                Column::new("k".into(), index(|row, d| row % d)),
                Column::new("coupling".into(), couplings.by_ref().take(numbers.len()).collect::<Vec<_>>()),
            ];
            DataFrame::new(numbers.len(), columns)
                .map_err(|source| Error::Table { action: "tabulate the couplings".to_owned(), source })
        });
        trace::write_parts(&output, parts, &provenance)?;
        say!("{rows} couplings in {}", self.output.display());
        Ok(())
    }
}
