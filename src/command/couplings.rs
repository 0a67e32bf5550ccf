//! `overparam couplings`

use anyhow::Result;
use clap::Args;
use overparam::{Couplings, Error, trace};
use polars::prelude::{Column, DataFrame};
use std::path::PathBuf;

/// Write the couplings J of the spin glass: a row a triple i, j, k (from 0, k fastest), with its standard normal.
#[derive(Args)]
pub struct CouplingsCommand {
    /// The seed that they belong to
    #[arg(long)]
    seed: u64,
    /// Dimensions d: spins
    #[arg(long)]
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
        trace::check(&self.output)?;
        let rows = d.pow(3);
        let index =
            |place: fn(usize, usize) -> usize| -> Vec<u32> { (0..rows).map(|row| place(row, d) as u32).collect() };
        let columns = vec![
            Column::new("i".into(), index(|row, d| row / d / d)),
            Column::new("j".into(), index(|row, d| row / d % d)),
            Column::new("k".into(), index(|row, d| row % d)),
            Column::new("coupling".into(), Couplings::draw(self.seed, d).collect::<Vec<_>>()),
        ];
        let settings = serde_json::json!({ "seed": self.seed, "dimension": d }).to_string();
        trace::write(&DataFrame::new(rows, columns)?, &self.output, &settings)?;
        say!("{rows} couplings in {}", self.output.display());
        Ok(())
    }
}
