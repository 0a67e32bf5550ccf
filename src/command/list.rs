//! `overparam list`

use super::objective::{ChosenObjective, ExpressionOptions};
use anyhow::Result;
use clap::Args;
use overparam::expression::Cost;
use overparam::prelude::*;

/// Some minima are sums of a 1-D search per coordinate; more of them than this take minutes.
const MOST_DIMENSIONS: usize = 1_000_000;

/// List the objectives, or describe an --expression: name, box, minimum, source.
///
/// The columns are the name; the box of the raw coordinates u, which x in [0, 1] is mapped to; the smallest raw value in the box; where it
/// is taken, or how it is known; and the source of the definition. The minimum of the spin glass is that of the energy per spin
/// in the limit of large d.
///
/// For an expression: its name, its box, the floating-point operations of its value and gradient at one point, the memory that is worked on at a
/// time in double precision, and its range in the box as estimated by sampling and steps along the gradient.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct List {
    /// Dimensions d that the minimum is given for
    #[arg(long, default_value_t = 50, value_parser = super::settings::count::<usize>)]
    d: usize,
    #[command(flatten)]
    expression: ExpressionOptions,
}

impl List {
    pub fn execute(self) -> Result<()> {
        if !(1..=MOST_DIMENSIONS).contains(&self.d) {
            let expected = "from 1 to 1000000";
            return Err(overparam::Error::Setting { name: "d", expected, given: self.d.to_string() }.into());
        }
        if self.expression.is_given() {
            return self.describe();
        }
        say!("{:<16} {:>20}  {:>14}  {:<24} source", "name", "box", "minimum", "taken at");
        for function in Function::ALL {
            let description = function.describe(self.d);
            let [lo, hi] = description.domain;
            let bounds = format!("[{}, {}]^{}", short(lo), short(hi), self.d);
            let smallest = function.smallest_dimension();
            let place = match description.minimizer {
                _ if self.d < smallest => format!("needs d = {smallest} or more"),
                Some(u) => format!("every u_i = {}", short(u[0])),
                None if Problem::from(function).is_drawn() => "limit of large d".to_owned(),
                None => "by 1-D searches".to_owned(),
            };
            let minimum = if self.d < smallest { "-".to_owned() } else { short(description.minimum) };
            say!("{:<16} {bounds:>20}  {minimum:>14}  {place:<24} {}", function.name(), description.source);
        }
        Ok(())
    }

    /// Prints what is known of the expression.
    fn describe(&self) -> Result<()> {
        let ChosenObjective { problem, expression: Some(expression), .. } = self.expression.objective(None)? else {
            return Ok(());
        };
        let Cost { operations, bytes } = expression.cost(self.d)?;
        let [lo, hi] = problem.bounds(self.d).of(0).unwrap_or([0.0, 1.0]);
        let [lowest, highest] = expression.estimate_range(self.d)?;
        say!("name        {}\nbox         [{}, {}]^{}", problem.name(), short(lo), short(hi), self.d);
        say!("operations  {operations} for the value and the gradient of a point");
        say!("memory      {bytes} bytes worked on at a time in double precision");
        say!("range       {lowest:.6e} to {highest:.6e}, an estimate by sampling and steps along the gradient");
        Ok(())
    }
}

/// At most six decimals.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
