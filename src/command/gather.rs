//! `overparam gather`

use super::signals;
use anyhow::Result;
use clap::Args;
use overparam::output::{Output, ensure_distinct};
use overparam::store::Store;
use overparam::trace;
use std::path::PathBuf;

/// Make tables of all runs in a store: the summary, their traces, their best points.
///
/// Rows are in the order of the requests, whatever the order in which runs were finished and by how many processes. The column
/// `instruction_set` tells runs apart that were made on different processors. Every file of the store is checked as it is read.
///
/// Runs that are missing are counted, and the files say that they are a part: `overparam.outcome` is then `stopped`. Files that are there
/// are replaced by those of the same store, unless it has fewer runs than they have.
#[derive(Args)]
pub struct Gather {
    /// The folder of the store
    store: PathBuf,
    /// The file of the summary, one row per run
    #[arg(long, value_name = "FILE", required_unless_present_any = ["traces", "points"])]
    output: Option<PathBuf>,
    /// The file of the traces, one row per recorded iteration of every run
    #[arg(long, value_name = "FILE")]
    traces: Option<PathBuf>,
    /// The file of the best points, of a store whose runs are about one objective in one shape
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
}

impl Gather {
    pub fn execute(self) -> Result<()> {
        let store = Store::read(&self.store)?;
        signals::leave_nothing()?;
        let prepare = |path: &Option<PathBuf>| path.as_ref().map(trace::prepare).transpose();
        let outputs = [prepare(&self.output)?, prepare(&self.points)?, prepare(&self.traces)?];
        ensure_distinct(outputs.iter().flatten())?;
        let gathered = store.gather()?;
        let [summary, points, traces] = &outputs;
        gathered.ensure_replaces(summary.as_ref(), points.as_ref(), traces.as_ref())?;
        let written = |output: &Output| output.path().display().to_string();
        let mut files = Vec::new();
        if let Some(output) = summary {
            gathered.write_summary(output)?;
            files.push(written(output));
        }
        if let Some(output) = points {
            gathered.write_points(output)?;
            files.push(format!("their best points in {}", written(output)));
        }
        if let Some(output) = traces {
            gathered.write_traces(output)?;
            files.push(format!("their traces in {}", written(output)));
        }
        let sets: Vec<&str> = gathered.instruction_sets().into_iter().collect();
        if sets.len() > 1 {
            note!(
                "the runs were made with different instruction sets ({}), see the column instruction_set",
                sets.join(", ")
            );
        }
        if gathered.missing > 0 {
            note!("{} runs that were asked for are not there yet", gathered.missing);
        }
        say!("{} runs in {}", gathered.len(), files.join(", "));
        Ok(())
    }
}
