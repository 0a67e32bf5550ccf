//! `overparam verify`

use super::{settings, signals};
use anyhow::{Result, bail};
use clap::Args;
use overparam::verify;
use std::path::PathBuf;

/// Find out whether results can be trusted: those of a store, or of a folder that `overparam figures` wrote.
///
/// Every file is read, and its checksum and its columns are checked; that all runs which were asked for are there; that the numbers of a run are finite,
/// its best does not rise, its step sizes are those that the schedule makes of its means, and F at its best point is its best. Some runs,
/// picked at random, are made again: on the same instruction set every number but the times has to be the same bit for bit. Without
/// --instruction-set that of the first run is used, if this processor has it; on another one the first iteration has to agree to 1e-9, in f32 to
/// 1e-3.
///
/// Prints one line per fault, up to 20, and exits with 1 if there is any or a run is missing.
#[derive(Args)]
pub struct Verify {
    /// The folder of the store or of the figures
    folder: PathBuf,
    /// The number of runs that are made again
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = settings::count::<usize>)]
    again: usize,
    /// The number that picks them
    #[arg(long, default_value_t = 0, value_parser = settings::count::<u64>)]
    seed: u64,
}

/// Faults that are printed; more are counted.
const MOST: usize = 20;

impl Verify {
    pub fn execute(self) -> Result<()> {
        signals::leave_nothing()?;
        let report = verify::folder(&self.folder, self.again, self.seed)?;
        for unchecked in report.unchecked.iter().take(MOST) {
            note!("{unchecked}");
        }
        for fault in report.faults.iter().take(MOST) {
            say!("{fault}");
        }
        if report.faults.len() > MOST {
            say!("and {} more", report.faults.len() - MOST);
        }
        say!("{report}");
        if report.is_sound() {
            return Ok(());
        }
        bail!("{}: {} faults, {} runs missing", self.folder.display(), report.faults.len(), report.missing)
    }
}
