//! Display in a notebook with the evcxr kernel: of a run, a sweep, a comparison, a table and a figure.
//!
//! The kernel calls `evcxr_display` on the value that a cell ends with. [`Display`] gives that method to the types of this
//! crate, to Polars' `DataFrame` and to plotly's `Plot`; it is in the [prelude](crate::prelude), so that naming a value is
//! enough. What is sent loads nothing from anywhere: tables and cards are HTML with small drawings inside, figures are
//! plotly's JSON, which JupyterLab's plotly extension draws, and a PNG for wherever there is no such extension.

mod card;
mod figure;
mod html;
mod sketch;
mod table;

use crate::experiment::{Comparison, Run};
use crate::figure::Figure;
use plotly::Plot;
use polars::prelude::DataFrame;
use std::io::{self, Write};

/// One output of a cell: the same thing in several formats, of which the reader's program shows the best it knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content(Vec<(&'static str, String)>);

impl Content {
    /// This output with the format `mime` added.
    fn with(mut self, mime: &'static str, text: impl Into<String>) -> Self {
        self.0.push((mime, text.into()));
        self
    }

    /// The output in the format `mime`, such as `"text/html"`.
    pub fn get(&self, mime: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == mime).map(|(_, text)| text.as_str())
    }

    /// Hands the output to the kernel, in the blocks that evcxr looks for on standard output.
    fn send(&self) {
        let mut blocks = String::new();
        for (mime, text) in &self.0 {
            blocks.push_str(&format!("EVCXR_BEGIN_CONTENT {mime}\n{text}\nEVCXR_END_CONTENT\n"));
        }
        // In one piece, so that no other thread prints inside. If the kernel is gone, nobody is left to tell.
        let _ = io::stdout().lock().write_all(blocks.as_bytes());
    }
}

/// The display of a value that a cell ends with.
pub trait Display {
    /// The output, in all its formats.
    fn content(&self) -> Content;

    /// Shows the value below the cell.
    fn evcxr_display(&self) {
        self.content().send();
    }
}

impl Display for Run {
    fn content(&self) -> Content {
        Content::default().with("text/html", card::run(self)).with("text/plain", self.to_string())
    }
}

impl Display for [Run] {
    fn content(&self) -> Content {
        Content::default().with("text/html", card::sweep(self)).with("text/plain", card::sweep_text(self))
    }
}

impl Display for Comparison {
    fn content(&self) -> Content {
        Content::default().with("text/html", card::comparison(self)).with("text/plain", card::comparison_text(self))
    }
}

impl Display for DataFrame {
    fn content(&self) -> Content {
        Content::default().with("text/html", table::html(self)).with("text/plain", self.to_string())
    }
}

impl Display for Figure {
    fn content(&self) -> Content {
        figure::content(self)
    }
}

/// A cell that ends with a loop or a `match` has nothing to show.
impl Display for () {
    fn content(&self) -> Content {
        Content::default()
    }
}

/// The display of a plotly figure that a cell ends with.
///
/// plotly's `Plot` has an `evcxr_display` of its own, which takes a reference and sends no image. This one takes the figure
/// itself and therefore comes first. A figure in a variable cannot be taken: end the cell with [`show`]`(&figure)`.
pub trait DisplayFigure {
    /// Shows the figure below the cell, interactive and as an image, and returns what it showed.
    fn evcxr_display(self) -> Shown;
}

impl DisplayFigure for Plot {
    fn evcxr_display(self) -> Shown {
        let shown = show(&self);
        shown.evcxr_display();
        shown
    }
}

/// A figure as a cell shows it: interactive where plotly is, and as a PNG where it is not.
///
/// The image needs chromium; without it there is a note instead, and the figure is interactive only.
pub fn show(figure: impl Into<Figure>) -> Shown {
    Shown(figure.into().content())
}

/// The result of [`show`], to end a cell with.
#[derive(Clone, Debug)]
pub struct Shown(Content);

impl Display for Shown {
    fn content(&self) -> Content {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::{Candidate, Choice, Function, Optimizer, Protocol, Stage};

    #[test]
    fn a_run_is_a_card_and_a_text() {
        let protocol = Protocol::paper();
        let settings = protocol.settings(Function::Rastrigin).iterations(50);
        let run = protocol.run(Function::Rastrigin, Optimizer::Deep, 3, &settings).unwrap();
        let content = run.content();
        let html = content.get("text/html").unwrap();
        assert!(html.contains("Rastrigin") && html.contains("data:image/svg+xml;base64,"), "{html}");
        assert!(!html.contains("http"), "{html}");
        assert_eq!(content.get("text/plain"), Some(run.to_string().as_str()));
    }

    #[test]
    fn sweeps_and_comparisons_say_which_rate_and_which_optimizer() {
        let mut protocol = Protocol::paper();
        (protocol.iterations, protocol.seeds, protocol.rates) = (30, 2, vec![1.0, 0.1]);
        let comparison = protocol.compare(Function::Sphere, &|_: Stage, _: &Run| {}).unwrap();
        let content = comparison.content();
        let html = content.get("text/html").unwrap();
        assert!(html.contains("<img"), "{html}");
        let rows = |html: &str| html.split("<tr").skip(1).map(str::to_owned).collect::<Vec<_>>();
        let content = comparison.sweep.content();
        let (table, text) = (rows(content.get("text/html").unwrap()), content.get("text/plain").unwrap());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines.len(), 2 * 2);
        for (optimizer, lines) in Optimizer::ALL.into_iter().zip(lines.chunks(2)) {
            let ranked = Candidate::rank(&comparison.sweep, optimizer);
            // In the order of rank, the rate and what it reached.
            for (candidate, line) in ranked.iter().zip(lines) {
                let words: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(words[..2], [optimizer.to_string(), format!("{:.3e}", candidate.rate)], "{text}");
                assert_eq!(words[2], format!("{:.6e}", candidate.minimum), "{text}");
            }
            let of = |rows: &[String]| -> Vec<String> {
                rows.iter().filter(|row| row.contains(optimizer.name()) && row.contains('■')).cloned().collect()
            };
            let shown = of(&table);
            assert_eq!(shown.len(), 2, "{table:?}");
            for (candidate, row) in ranked.iter().zip(&shown) {
                assert!(row.contains(&html::number(candidate.minimum)), "{row} for {candidate:?}");
            }
            // The comparison has one row per optimizer, with the rate that ranks first.
            let shown = of(&rows(html));
            assert!(shown.len() == 1 && shown[0].contains(&html::number(ranked[0].rate)), "{shown:?}");
        }
    }

    #[test]
    fn nothing_is_shown_as_nothing_rather_than_a_panic() {
        let none: &[Run] = &[];
        assert!(none.content().get("text/html").unwrap().contains("no runs"));
        let comparison = Comparison {
            problem: Function::Sphere.into(),
            choice: Choice::PerFunction,
            sweep: Vec::new(),
            timed: Vec::new(),
        };
        assert!(comparison.content().get("text/html").unwrap().contains("no runs"));
    }

    /// The trait must be the one that method-call syntax finds, as the kernel calls it, and not plotly's own.
    #[test]
    fn method_call_syntax_finds_the_display_with_an_image() {
        // plotly's returns ().
        let shown: Shown = Plot::new().evcxr_display();
        let content = shown.content();
        let json: serde_json::Value =
            serde_json::from_str(content.get("application/vnd.plotly.v1+json").unwrap()).unwrap();
        assert!(json["data"].is_array() && json["layout"].is_object());
    }
}
