//! Figure 3: what the best of the n embeddings does, iteration by iteration.

use polars::prelude::DataFrame;

use crate::objective::GROUND_STATE_ENERGY;

use super::{
    Error, Figure, SPIN_GLASS,
    panel::{Panel, draw},
    run::{Run, runs},
    series::{Between, Series},
    style,
};

/// Draws iterations (log) against the minimum over the n embeddings at that iteration, for the Rastrigin function and
/// for the Hamiltonian of the spin glass: one thin line per seed and a bold one for their median. If one of the two is
/// absent, so is its panel.
///
/// The first iteration is 0, so x is the iteration plus one. Rastrigin shows the scaled objective F; the Hamiltonian
/// the energy per spin that F stands for, (2 F - 1) E_0, with the threshold and the ground state.
///
/// # Errors
/// A missing or mistyped column, an unknown optimizer, no run of either function: see [`Error`].
pub fn figure3(traces: &DataFrame) -> Result<Figure, Error> {
    let runs = runs(traces)?;
    let panels: Vec<Panel> = ["rastrigin", SPIN_GLASS]
        .into_iter()
        .filter(|function| runs.iter().any(|r| r.function == *function))
        .map(|function| panel(function, runs.iter().filter(|r| r.function == function)))
        .collect();
    if panels.is_empty() {
        return Err(Error::NoRuns("rastrigin or spin-glass"));
    }
    let (top, row, bottom) = (68, 210, 50);
    // The entries fit into one line of a column only in a smaller size.
    let legend = style::legend(1.0 + 30.0 / row as f64).font(style::font(style::TEXT - 2));
    let layout = style::layout(style::COLUMN, top + row + bottom, style::margin(80, 24, top, bottom), legend);
    Ok(draw(&panels, 2, "iteration + 1", layout, (0.42, 0.0)))
}

fn panel<'a>(function: &str, runs: impl Iterator<Item = &'a Run> + Clone) -> Panel {
    let glass = function == SPIN_GLASS;
    let series = |run: &Run| -> Series {
        let y = |f: f64| if glass { (2.0 * f - 1.0) * GROUND_STATE_ENERGY } else { f };
        run.rows.iter().map(|r| (r.iteration + 1.0, y(r.objective_min))).collect()
    };
    let quantity = if glass { "energy per spin" } else { "min. objective" };
    let panel = Panel::new(function, quantity, runs, Between::Straight, series);
    // The full name is wider than half a column.
    if glass { Panel { title: "3-spin glass".to_owned(), ..panel.with_known_energies(false) } } else { panel }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::{super::run::tests::table, *};

    #[test]
    fn iteration_zero_shows_and_the_median_is_bold() {
        let plot = figure3(&table(&[
            ("rastrigin", "deep", 0, &[1.0, 0.5, 0.25]),
            ("rastrigin", "deep", 1, &[1.0, 0.7, 0.35]),
            ("sphere", "deep", 0, &[1.0]),
        ]));
        let plot = to_value(plot.unwrap()).unwrap();
        let data = plot["data"].as_array().unwrap();
        // Two legend entries, two seeds, one median.
        assert_eq!(data.len(), 5);
        assert_eq!(data[2]["x"], json!([1.0, 2.0, 3.0]));
        assert_eq!(data[4]["y"].as_array().unwrap().last(), Some(&json!(0.3)));
        assert_eq!(data[4]["line"]["width"], 3.0);
    }

    #[test]
    fn the_glass_is_drawn_in_energy_per_spin() {
        let plot = to_value(figure3(&table(&[("spin-glass", "shallow", 0, &[0.5, 0.0])])).unwrap()).unwrap();
        assert_eq!(plot["data"][2]["y"], json!([0.0, -GROUND_STATE_ENERGY]));
    }

    #[test]
    fn neither_function_is_an_error() {
        let error = figure3(&table(&[("sphere", "deep", 0, &[1.0])])).err().unwrap().to_string();
        assert!(error.contains("rastrigin"), "{error}");
    }
}
