//! Figure 2: how soon the two optimizers find how good a value.

use plotly::Plot;
use polars::prelude::DataFrame;

use super::{
    Error,
    panel::{Panel, draw},
    run::{Run, runs},
    series::{Between, Series, extent},
    style,
};

/// The order of the panels. A function that is not here comes after, in the order of names.
const ORDER: [&str; 9] = [
    "ackley",
    "levy",
    "michalewicz",
    "rastrigin",
    "rosenbrock",
    "schwefel",
    "sphere",
    "styblinski-tang",
    super::SPIN_GLASS,
];

/// Draws wall-clock time (log) against the best objective so far: a panel a function, three in a row, a thin line a
/// seed and a bold one for their median. Functions without runs are left out.
///
/// The objective is the scaled one, F in [0, 1], on a logarithmic axis where it spans more than two decades; the panel
/// of the spin glass shows the energy per spin, with the threshold and the ground state. A run which ended keeps its
/// best in the median. What is recorded before the first iteration ends is drawn at the left edge, since a log axis has
/// no 0.
///
/// # Errors
/// A missing or mistyped column, an unknown optimizer, no rows: see [`Error`].
pub fn figure2(traces: &DataFrame) -> Result<Plot, Error> {
    let runs = runs(traces)?;
    let mut functions: Vec<&str> = runs.iter().map(|r| r.function.as_str()).collect();
    functions.dedup();
    functions.sort_by_key(|name| ORDER.iter().position(|o| o == name).unwrap_or(ORDER.len()));
    let panels: Vec<Panel> = functions.iter().map(|f| panel(f, runs.iter().filter(|r| r.function == *f))).collect();
    if panels.is_empty() {
        return Err(Error::NoRuns("any function"));
    }
    let rows = panels.len().div_ceil(3);
    let (top, row, bottom) = (72, 250, 50);
    let height = top + row * rows + bottom;
    let legend = style::legend(1.0 + 30.0 / (row * rows) as f64);
    let width = [style::COLUMN, style::PAGE * 2 / 3, style::PAGE][panels.len().min(3) - 1];
    let layout = style::layout(width, height, style::margin(86, 12, top, bottom), legend);
    Ok(draw(&panels, 3, "wall time [s]", layout, (0.28, 0.33)))
}

fn panel<'a>(function: &str, runs: impl Iterator<Item = &'a Run> + Clone) -> Panel {
    let glass = function == super::SPIN_GLASS;
    let edge = left_edge(runs.clone());
    let series = |run: &Run| -> Series {
        let points = run.rows.iter().map(|r| (r.seconds.max(edge), if glass { r.raw_best } else { r.best }));
        points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let quantity = if glass { "energy per spin" } else { "best objective" };
    let panel = Panel::new(function, quantity, runs, Between::Hold, series);
    if glass { panel.with_known_energies(true) } else { panel }
}

/// Half the time of the earliest row past iteration 0, so that a start shows; a microsecond if none has taken time.
fn left_edge<'a>(runs: impl Iterator<Item = &'a Run>) -> f64 {
    let times = runs.flat_map(|r| &r.rows).filter(|r| r.iteration > 0.0).map(|r| r.seconds);
    extent(times.filter(|s| s.is_finite() && *s > 0.0)).map_or(1e-6, |(first, _)| 0.5 * first)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};

    use super::{super::run::tests::table, *};

    /// Entries of the legend when one optimizer has run: they come first.
    const ENTRIES: usize = 2;

    fn figure(runs: &[(&str, &str, u64, &[f64])]) -> Value {
        to_value(figure2(&table(runs)).unwrap()).unwrap()
    }

    #[test]
    fn a_line_a_seed_a_median_an_optimizer_and_one_legend() {
        let plot = figure(&[
            ("sphere", "shallow", 0, &[1.0, 0.5]),
            ("sphere", "shallow", 1, &[1.0, 0.7]),
            ("sphere", "deep", 0, &[1.0, 0.1]),
            ("ackley", "deep", 0, &[1.0, 0.2]),
        ]);
        let data = plot["data"].as_array().unwrap();
        let (seeds, medians, entries) = (4, 3, ["shallow (median)", "deep (median)", "one seed"]);
        assert_eq!(data.len(), entries.len() + seeds + medians);
        let shown: Vec<_> = data.iter().filter(|t| t["showlegend"] != false).map(|t| t["name"].clone()).collect();
        assert_eq!(shown, entries);
        assert_eq!(plot["layout"]["grid"]["columns"], 2);
    }

    #[test]
    fn time_zero_is_drawn_before_the_first_iteration() {
        let plot = figure(&[("sphere", "deep", 0, &[1.0, 0.5, 0.25])]);
        assert_eq!(plot["data"][ENTRIES]["x"], serde_json::json!([0.5, 1.0, 2.0]));
    }

    #[test]
    fn axes_are_logarithmic_where_the_values_are_positive_and_wide() {
        let wide = figure(&[("sphere", "deep", 0, &[1.0, 1e-5])]);
        assert_eq!(wide["layout"]["yaxis"]["type"], "log");
        for values in [[1.0, 0.5], [1.0, 0.0]] {
            let plot = figure(&[("sphere", "deep", 0, &values)]);
            assert!(plot["layout"]["yaxis"].is_null());
            assert!(plot["layout"]["annotations"][2]["text"].as_str().unwrap().ends_with("(linear)"));
        }
    }

    #[test]
    fn nine_panels_have_nine_places_and_the_glass_its_levels() {
        let runs: Vec<_> = ORDER.iter().map(|f| (*f, "deep", 0, &[1.0, 0.5][..])).collect();
        let plot = figure(&runs);
        let median = &plot["data"].as_array().unwrap()[ENTRIES + 2 * ORDER.len() - 1];
        assert_eq!((&median["xaxis"], &median["yaxis"]), (&"x9".into(), &"y9".into()));
        assert_eq!(plot["layout"]["shapes"].as_array().unwrap().len(), 2);
        assert_eq!(plot["layout"]["shapes"][0]["yref"], "y9");
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let plot = figure(&[("sphere", "deep", 0, &[1.0, f64::NAN, f64::INFINITY, 0.5])]);
        assert_eq!(plot["data"][ENTRIES]["y"], serde_json::json!([1.0, 0.5]));
        let nothing = figure(&[("sphere", "deep", 0, &[f64::NAN])]);
        let drawn = nothing["data"].as_array().unwrap().iter().skip(ENTRIES);
        assert!(drawn.clone().all(|line| line["y"].as_array().is_none_or(Vec::is_empty)), "{nothing}");
    }

    #[test]
    fn no_rows_is_an_error() {
        assert!(matches!(figure2(&table(&[])), Err(Error::NoRuns(_))));
    }
}
